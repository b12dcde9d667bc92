import { Link } from '@tanstack/react-router'
import { canOperate } from '@/api/rights'
import { useUser } from '@/api/session'
import type { App } from '@/api/types'
import { CountDown } from './age'
import { Extend, isUp, StartStop } from './app-actions'
import { type Column, DataTable, type Sort } from './data-table'
import { StatusBadge } from './status-badge'
import type { useNames } from './use-names'

type Props = {
  apps: App[]
  names: ReturnType<typeof useNames>
  /** Columns that say the same in every row. */
  without?: ('project' | 'server')[]
  sort?: Sort
  onSort?: (sort: Sort) => void
}

export function AppsTable({ apps, names, without = [], sort, onSort }: Props) {
  const user = useUser()
  const all: Column<App>[] = [
    {
      id: 'name',
      header: 'App',
      width: 'minmax(0, 1.8fr)',
      sortable: true,
      cell: (app) => (
        <Link
          to="/apps/$appId"
          params={{ appId: app.id }}
          className="block truncate font-medium after:absolute after:inset-0"
          title={app.cdPath}
        >
          {app.name}
        </Link>
      ),
    },
    {
      id: 'status',
      header: 'Status',
      width: 'minmax(6rem, 2.4fr)',
      sortable: true,
      cell: (app) => <StatusBadge status={app.status} reason={app.statusReason} />,
    },
    {
      id: 'services',
      header: 'Services',
      width: '4.5rem',
      from: 'lg',
      cell: (app) => <Services app={app} />,
    },
    {
      id: 'project',
      header: 'Project',
      width: 'minmax(0, 1.2fr)',
      from: 'lg',
      cell: (app) => <span className="block truncate text-ink-2">{names.project(app.projectId)}</span>,
    },
    {
      id: 'server',
      header: 'Server',
      width: 'minmax(0, 1.2fr)',
      from: 'lg',
      cell: (app) => <span className="block truncate text-ink-2">{names.server(app.serverId)}</span>,
    },
    {
      id: 'stop',
      header: 'Stops in',
      width: '9rem',
      from: 'md',
      align: 'end',
      sortable: true,
      cell: (app) => <StopsIn app={app} mayExtend={canOperate(user, names.projectOf(app.projectId))} />,
    },
    {
      id: 'act',
      header: <span className="sr-only">Start or stop</span>,
      width: '4.5rem',
      align: 'end',
      cell: (app) =>
        canOperate(user, names.projectOf(app.projectId)) && (
          <div className="relative z-1">
            <StartStop app={app} />
          </div>
        ),
    },
  ]
  const mayAct = apps.some((app) => canOperate(user, names.projectOf(app.projectId)))
  const columns = all.filter((column) => !without.some((id) => id === column.id) && (mayAct || column.id !== 'act'))
  return <DataTable label="Apps" columns={columns} rows={apps} rowKey={(app) => app.id} sort={sort} onSort={onSort} />
}

function Services({ app }: { app: App }) {
  if (app.services.total === 0) return <span className="text-ink-3">–</span>
  return (
    <span className="nums text-ink-2">
      {app.services.running}/{app.services.total}
    </span>
  )
}

function StopsIn({ app, mayExtend }: { app: App; mayExtend: boolean }) {
  if (!app.stopAt) return <span className="text-ink-3">{isUp(app) ? 'never' : '–'}</span>
  return (
    <span className="relative z-1 flex items-center justify-end gap-1">
      {mayExtend && isUp(app) && <Extend app={app} />}
      <CountDown to={app.stopAt} />
    </span>
  )
}
