import { Link } from '@tanstack/react-router'
import { Age } from '@/components/age'
import { Panel } from '@/components/page'
import { StatusBadge } from '@/components/status-badge'
import type { Concern } from './attention'

const KINDS = { server: 'Server', app: 'App', operation: 'Operation' } as const
const MAX_SHOWN = 12

export function Attention({ concerns }: { concerns: Concern[] }) {
  const more = concerns.length - MAX_SHOWN
  return (
    <Panel title="Needs attention" aside={<span className="nums">{concerns.length}</span>}>
      <ul>
        {concerns.slice(0, MAX_SHOWN).map((concern) => (
          <li
            key={concern.key}
            className="relative grid min-h-11 items-center gap-x-4 border-line border-b px-4 py-1.5 last:border-0 hover:bg-hover sm:grid-cols-[minmax(0,1fr)_minmax(0,1fr)_5.5rem]"
          >
            <span className="min-w-0 truncate">
              <span className="text-ink-3">{KINDS[concern.subject.kind]} </span>
              <Subject subject={concern.subject} />
            </span>
            <StatusBadge status={concern.status} reason={concern.reason} />
            <span className="text-right text-ink-2 max-sm:hidden">
              <Age at={concern.since} />
            </span>
          </li>
        ))}
      </ul>
      {more > 0 && <p className="border-line border-t px-4 py-2 text-ink-2">and {more} more</p>}
    </Panel>
  )
}

function Subject({ subject: { kind, id, name } }: Pick<Concern, 'subject'>) {
  const className = 'font-medium after:absolute after:inset-0'
  if (kind === 'server')
    return (
      <Link to="/servers/$serverId" params={{ serverId: id }} className={className}>
        {name}
      </Link>
    )
  if (kind === 'app')
    return (
      <Link to="/apps/$appId" params={{ appId: id }} className={className}>
        {name}
      </Link>
    )
  return (
    <Link to="/operations/$operationId" params={{ operationId: id }} className={className}>
      {name}
    </Link>
  )
}
