import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { Plus, Server as ServerIcon } from 'lucide-react'
import { appsQuery, isRunning } from '@/api/apps'
import { can } from '@/api/rights'
import { serversQuery } from '@/api/servers'
import { useUser } from '@/api/session'
import type { Server } from '@/api/types'
import { Age } from '@/components/age'
import { type Column, DataTable } from '@/components/data-table'
import { EmptyState } from '@/components/empty-state'
import { Load } from '@/components/load'
import { Page, Panel } from '@/components/page'
import { StatusBadge } from '@/components/status-badge'
import { Button } from '@/components/ui/button'
import { usePolling } from '@/live/live'
import { AddServerDialog } from './add-server-dialog'

const route = getRouteApi('/_in/servers')

export function ServersPage() {
  const { add: adding } = route.useSearch()
  const navigate = route.useNavigate()
  const mayAdd = can(useUser(), 'servers:manage')
  const servers = useQuery({ ...serversQuery, refetchInterval: usePolling() })
  const setAdding = (open: boolean) => void navigate({ replace: true, search: { add: open || undefined } })
  const add = mayAdd && (
    <Button variant="primary" onClick={() => setAdding(true)}>
      <Plus />
      Add server
    </Button>
  )
  return (
    <Page title="Servers" actions={add}>
      <Panel>
        <Load query={servers}>
          {(found) =>
            found.length > 0 ? (
              <ServersTable servers={found} />
            ) : (
              <EmptyState icon={ServerIcon} title="No servers yet" action={add}>
                A server is any machine that you reach by SSH and that has Docker. Nothing is installed on it.
              </EmptyState>
            )
          }
        </Load>
      </Panel>
      {mayAdd && <AddServerDialog open={adding ?? false} onOpenChange={setAdding} />}
    </Page>
  )
}

function ServersTable({ servers }: { servers: Server[] }) {
  const apps = useQuery(appsQuery).data ?? []
  const appsOf = (server: Server) => apps.filter((app) => app.serverId === server.id)
  const columns: Column<Server>[] = [
    {
      id: 'name',
      header: 'Server',
      width: 'minmax(0, 1.6fr)',
      cell: (server) => (
        <Link
          to="/servers/$serverId"
          params={{ serverId: server.id }}
          className="block truncate font-medium after:absolute after:inset-0"
        >
          {server.name}
        </Link>
      ),
    },
    {
      id: 'status',
      header: 'Status',
      width: 'minmax(6rem, 1.8fr)',
      cell: (server) => <StatusBadge status={server.status} reason={server.statusReason} />,
    },
    {
      id: 'address',
      header: 'Address',
      width: 'minmax(0, 1.5fr)',
      from: 'lg',
      cell: (server) => <span className="block truncate font-mono text-ink-2 text-xs">{server.address}</span>,
    },
    {
      id: 'latency',
      header: 'Latency',
      width: '4.5rem',
      from: 'lg',
      align: 'end',
      cell: (server) => (
        <span className="nums text-ink-2">{server.latencyMs == null ? '–' : `${server.latencyMs} ms`}</span>
      ),
    },
    {
      id: 'containers',
      header: 'Containers',
      width: '5.5rem',
      from: 'md',
      align: 'end',
      cell: (server) => <span className="nums text-ink-2">{server.runningContainers ?? '–'}</span>,
    },
    {
      id: 'apps',
      header: 'Apps',
      width: '4rem',
      from: 'md',
      align: 'end',
      cell: (server) => (
        <span className="nums text-ink-2">
          {appsOf(server).filter(isRunning).length}/{appsOf(server).length}
        </span>
      ),
    },
    {
      id: 'checked',
      header: 'Checked',
      width: '5.5rem',
      align: 'end',
      cell: (server) => (
        <span className="text-ink-2">
          <Age at={server.lastChecked} />
        </span>
      ),
    },
  ]
  return <DataTable label="Servers" columns={columns} rows={servers} rowKey={(server) => server.id} />
}
