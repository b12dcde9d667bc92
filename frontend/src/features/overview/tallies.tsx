import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { App, Server } from '@/api/types'
import { Skeleton } from '@/components/skeleton'
import { StatusBadge } from '@/components/status-badge'

const SERVER_STATES = ['online', 'degraded', 'offline', 'unknown'] as const
const APP_STATES = ['running', 'starting', 'stopping', 'degraded', 'error', 'stopped', 'unknown'] as const

/** How many of each, in one line per kind. */
export function Tallies({ servers, apps, failed }: { servers?: Server[]; apps?: App[]; failed: boolean }) {
  return (
    <div className="grid divide-line overflow-hidden rounded-lg border border-line bg-surface max-md:divide-y md:grid-cols-2 md:divide-x">
      <Tally label="Servers" total={servers?.length ?? (failed ? '–' : undefined)}>
        {SERVER_STATES.map((state) => {
          const count = servers?.filter((server) => server.status === state).length ?? 0
          if (count === 0) return null
          return (
            <Link key={state} to="/servers" className="inline-flex items-center gap-1.5 rounded hover:underline">
              <StatusBadge status={state} />
              <span className="nums font-medium">{count}</span>
            </Link>
          )
        })}
      </Tally>
      <Tally label="Apps" total={apps?.length ?? (failed ? '–' : undefined)}>
        {APP_STATES.map((state) => {
          const count = apps?.filter((app) => app.status === state).length ?? 0
          if (count === 0) return null
          return (
            <Link
              key={state}
              to="/apps"
              search={{ status: state }}
              className="inline-flex items-center gap-1.5 rounded hover:underline"
            >
              <StatusBadge status={state} />
              <span className="nums font-medium">{count}</span>
            </Link>
          )
        })}
      </Tally>
    </div>
  )
}

function Tally({ label, total, children }: { label: string; total?: number | string; children: ReactNode }) {
  return (
    <section aria-label={label} className="flex min-h-[4.75rem] items-center gap-5 px-4 py-3">
      <div className="w-14 shrink-0">
        <p className="text-ink-3">{label}</p>
        <p className="nums font-semibold text-2xl leading-7 tracking-tight">
          {total ?? <Skeleton className="mt-1.5 w-8" />}
        </p>
      </div>
      <div className="flex flex-wrap gap-x-5 gap-y-1">{children}</div>
    </section>
  )
}
