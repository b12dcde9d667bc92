import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { Boxes, EllipsisVertical, Pencil, Plus, RefreshCw, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { appsQuery } from '@/api/apps'
import { projectsQuery } from '@/api/projects'
import { can, canMaintain } from '@/api/rights'
import { serverQuery, useDeleteServer, useProbe } from '@/api/servers'
import { useUser } from '@/api/session'
import type { Server } from '@/api/types'
import { Age } from '@/components/age'
import { AppDialog } from '@/components/app-dialog'
import { AppsTable } from '@/components/apps-table'
import { Confirm } from '@/components/confirm'
import { CopyLine } from '@/components/copy'
import { EmptyState } from '@/components/empty-state'
import { Load } from '@/components/load'
import { Facts, Page, Panel } from '@/components/page'
import { StatusBadge } from '@/components/status-badge'
import { Button } from '@/components/ui/button'
import { Menu, MenuItem } from '@/components/ui/menu'
import { toast } from '@/components/ui/toast'
import { useNames } from '@/components/use-names'
import { formatDuration } from '@/lib/time'
import { usePolling } from '@/live/live'
import { EditServerDialog } from './edit-server-dialog'
import { keyState } from './fingerprints'
import { HostKeyPanel } from './host-key-panel'
import { mendFor } from './mend'
import { TestPanel } from './test-panel'

const route = getRouteApi('/_in/servers/$serverId')
const CRUMBS = [{ label: 'Servers', to: '/servers' }]

export function ServerPage() {
  const { serverId } = route.useParams()
  const server = useQuery({ ...serverQuery(serverId), refetchInterval: usePolling() })
  if (server.data) return <ServerView key={serverId} server={server.data} />
  return (
    <Page title="Server" crumbs={CRUMBS}>
      <Panel>
        <Load query={server}>{() => null}</Load>
      </Panel>
    </Page>
  )
}

function ServerView({ server }: { server: Server }) {
  const mayWrite = can(useUser(), 'servers:manage')
  const changed = keyState(server) === 'changed'
  return (
    <Page
      title={server.name}
      crumbs={CRUMBS}
      lead={<Status server={server} />}
      actions={
        <>
          <Probe server={server} />
          {mayWrite && <More server={server} />}
        </>
      }
    >
      <div className="grid gap-4 lg:grid-cols-[minmax(0,1fr)_22rem]">
        <div className="grid min-w-0 content-start gap-4">
          {changed && <HostKeyPanel server={server} />}
          <ServerApps server={server} />
          <TestPanel server={server} mayTest={mayWrite} />
        </div>
        <div className="grid min-w-0 content-start gap-4">
          <Panel title="About">
            <ServerFacts server={server} />
          </Panel>
          {!changed && <HostKeyPanel server={server} />}
        </div>
      </div>
    </Page>
  )
}

function Status({ server }: { server: Server }) {
  const mend = server.status === 'online' ? null : mendFor(server.statusReason)
  // The panel of the host key says it with both fingerprints.
  const aboutKey = server.statusReason?.startsWith('host_key_')
  return (
    <div className="grid gap-1">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-1">
        <StatusBadge status={server.status} reason={server.statusReason} className="text-ink" />
        <span>
          checked <Age at={server.lastChecked} />
        </span>
      </div>
      {server.statusDetail && !aboutKey && <p className="break-words first-letter:uppercase">{server.statusDetail}</p>}
      {mend && <p>{mend}</p>}
    </div>
  )
}

function Probe({ server }: { server: Server }) {
  const probe = useProbe(server.id)
  const failed = (thrown: unknown) => toast.problem(`${server.name} could not be probed`, thrown)
  return (
    <Button pending={probe.isPending} onClick={() => probe.mutate(undefined, { onError: failed })}>
      <RefreshCw />
      Probe now
    </Button>
  )
}

function More({ server }: { server: Server }) {
  const navigate = useNavigate()
  const remove = useDeleteServer(server.id)
  const [open, setOpen] = useState<'edit' | 'delete' | null>(null)
  return (
    <>
      <Menu
        trigger={
          <Button variant="ghost" size="icon" className="size-8" aria-label="More">
            <EllipsisVertical />
          </Button>
        }
      >
        <MenuItem onSelect={() => setOpen('edit')}>
          <Pencil />
          Edit…
        </MenuItem>
        <MenuItem danger onSelect={() => setOpen('delete')}>
          <Trash2 />
          Delete…
        </MenuItem>
      </Menu>
      <EditServerDialog server={server} open={open === 'edit'} onOpenChange={() => setOpen(null)} />
      <Confirm
        open={open === 'delete'}
        onOpenChange={() => setOpen(null)}
        title={`Delete ${server.name}?`}
        action="Delete server"
        danger
        onConfirm={async () => {
          await remove.mutateAsync()
          void navigate({ to: '/servers' })
        }}
      >
        <p>Its credential and its trusted host key are forgotten. A server that still has apps is not deleted.</p>
      </Confirm>
    </>
  )
}

function ServerApps({ server }: { server: Server }) {
  const apps = useQuery(appsQuery)
  const names = useNames()
  const user = useUser()
  const projects = useQuery(projectsQuery).data ?? []
  const mayAdd = projects.some((project) => canMaintain(user, project))
  const [adding, setAdding] = useState(false)
  const add = mayAdd && (
    <Button size="sm" variant="ghost" onClick={() => setAdding(true)}>
      <Plus />
      Add app
    </Button>
  )
  return (
    <Panel title="Apps" aside={add}>
      <Load query={{ ...apps, data: apps.data?.filter((app) => app.serverId === server.id) }}>
        {(found) =>
          found.length > 0 ? (
            <AppsTable apps={found} names={names} without={['server']} />
          ) : (
            <EmptyState icon={Boxes} title="No apps here yet" />
          )
        }
      </Load>
      <AppDialog open={adding} onOpenChange={setAdding} serverId={server.id} />
    </Panel>
  )
}

const KINDS = { privateKey: 'private key', password: 'password', generated: 'key made by Quaymaster' } as const

function ServerFacts({ server }: { server: Server }) {
  const { credential } = server
  return (
    <>
      <Facts
        facts={[
          {
            label: 'Address',
            value: <span className="font-mono text-xs">{`${server.sshUser}@${server.address}:${server.sshPort}`}</span>,
          },
          { label: 'Signs in with', value: KINDS[credential.kind] },
          {
            label: 'Latency',
            value: <span className="nums">{server.latencyMs == null ? '–' : `${server.latencyMs} ms`}</span>,
          },
          { label: 'Uptime', value: server.uptime == null ? '–' : formatDuration(server.uptime * 1_000) },
          { label: 'Docker', value: <span className="nums">{server.docker ?? '–'}</span> },
          { label: 'Compose', value: <span className="nums">{server.compose ?? '–'}</span> },
          { label: 'Containers', value: <span className="nums">{server.runningContainers ?? '–'}</span> },
        ]}
      />
      {credential.authorizedKey && (
        <div className="grid gap-1.5 border-line border-t px-4 py-3">
          <p className="text-ink-3">Line for authorized_keys</p>
          <CopyLine text={credential.authorizedKey} label="Copy the line" />
        </div>
      )}
    </>
  )
}
