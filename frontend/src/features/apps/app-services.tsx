import { useQuery } from '@tanstack/react-query'
import { CircleCheck, CircleMinus, CircleX, HeartPulse, LoaderCircle, TriangleAlert } from 'lucide-react'
import { servicesQuery } from '@/api/apps'
import type { App, Service } from '@/api/types'
import { Age } from '@/components/age'
import { type Column, DataTable } from '@/components/data-table'
import { Load } from '@/components/load'
import { Panel } from '@/components/page'
import { usePolling } from '@/live/live'

export function AppServices({ app }: { app: App }) {
  const services = useQuery({ ...servicesQuery(app.id), refetchInterval: usePolling(10_000) })
  return (
    <Panel
      title="Services"
      aside={
        app.services.total > 0 && <span className="nums">{`${app.services.running} of ${app.services.total} run`}</span>
      }
    >
      <Load query={services}>
        {(found) =>
          found.length > 0 ? (
            <DataTable label="Services" columns={COLUMNS} rows={found} rowKey={(service) => service.name} />
          ) : (
            <p className="px-4 py-3 text-ink-2">No containers. They are made when the app starts.</p>
          )
        }
      </Load>
    </Panel>
  )
}

const COLUMNS: Column<Service>[] = [
  {
    id: 'service',
    header: 'Service',
    width: 'minmax(0, 1fr)',
    cell: (service) => (
      <span className="block truncate font-medium" title={service.name}>
        {service.service}
      </span>
    ),
  },
  {
    id: 'state',
    header: 'State',
    width: 'minmax(6.5rem, 1.4fr)',
    cell: (service) => <ServiceState service={service} />,
  },
  {
    id: 'ports',
    header: 'Ports',
    width: 'minmax(0, 1.4fr)',
    from: 'md',
    cell: (service) => (
      <span className="nums block truncate font-mono text-ink-2 text-xs" title={portsText(service)}>
        {portsText(service) || '–'}
      </span>
    ),
  },
  {
    id: 'image',
    header: 'Image',
    width: 'minmax(0, 1.6fr)',
    from: 'md',
    cell: (service) => (
      <span className="block truncate font-mono text-ink-2 text-xs" title={service.image}>
        {withoutRegistry(service.image)}
      </span>
    ),
  },
  {
    id: 'since',
    header: 'Since',
    width: '5.5rem',
    align: 'end',
    cell: (service) => (
      <span className="text-ink-2">
        <Age at={service.startedAt} />
      </span>
    ),
  },
]

/** `registry.example.com/shop/api:2` is `shop/api:2` to a reader: only a registry's name has a dot or a port. */
const withoutRegistry = (image: string) => image.replace(/^[^/]*[.:][^/]*\//, '')

function ServiceState({ service }: { service: Service }) {
  const { icon: Icon, tone, text, spin } = faceOf(service)
  return (
    <span className="flex min-w-0 items-center gap-1.5">
      <Icon className={`size-3.5 shrink-0 ${tone} ${spin ? 'animate-spin' : ''}`} aria-hidden />
      <span className="truncate">{text}</span>
    </span>
  )
}

/** What Docker says, with its meaning: a one-shot that ended with 0 is fine. */
function faceOf({ state, health, exitCode }: Service) {
  if (state === 'running' && health === 'unhealthy')
    return { icon: TriangleAlert, tone: 'text-warn', text: 'Running, unhealthy' }
  if (state === 'running' && health === 'healthy')
    return { icon: HeartPulse, tone: 'text-good', text: 'Running, healthy' }
  if (state === 'running' && health === 'starting')
    return { icon: LoaderCircle, tone: 'text-busy', text: 'Running, not yet healthy', spin: true }
  if (state === 'running') return { icon: CircleCheck, tone: 'text-good', text: 'Running' }
  if (state === 'restarting') return { icon: TriangleAlert, tone: 'text-warn', text: 'Restarting' }
  if (state === 'exited' && exitCode === 0) return { icon: CircleMinus, tone: 'text-ink-3', text: 'Done' }
  if (state === 'exited' || state === 'dead')
    return { icon: CircleX, tone: 'text-bad', text: `Exited with ${exitCode ?? '?'}` }
  return { icon: CircleMinus, tone: 'text-ink-3', text: state }
}

/** `8080→80` for a published port, `5432` for one that only the app's own network sees. */
function portsText({ ports }: Service): string {
  const texts = ports.map((port) => {
    const protocol = port.protocol === 'tcp' ? '' : `/${port.protocol}`
    return port.public === null ? `${port.private}${protocol}` : `${port.public}→${port.private}${protocol}`
  })
  return [...new Set(texts)].join(', ')
}
