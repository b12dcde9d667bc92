import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { ExternalLink } from 'lucide-react'
import { appQuery } from '@/api/apps'
import { canMaintain, canOperate } from '@/api/rights'
import { useUser } from '@/api/session'
import type { App } from '@/api/types'
import { Age, CountDown } from '@/components/age'
import { Copy } from '@/components/copy'
import { Load } from '@/components/load'
import { type Fact, Facts, Page, Panel } from '@/components/page'
import { SkeletonRows } from '@/components/skeleton'
import { StatusBadge } from '@/components/status-badge'
import { useNames } from '@/components/use-names'
import { formatMinutes, formatTimeOfDay } from '@/lib/time'
import { usePolling } from '@/live/live'
import { AppHeaderActions } from './app-header-actions'
import { AppLogs } from './app-logs'
import { AppOperations } from './app-operations'
import { AppServices } from './app-services'
import { webAddress } from './safe-url'

const route = getRouteApi('/_in/apps/$appId')
const CRUMBS = [{ label: 'Apps', to: '/apps' }]

export function AppPage() {
  const { appId } = route.useParams()
  const app = useQuery({ ...appQuery(appId), refetchInterval: usePolling() })
  const faceless = (
    <Page title="App" crumbs={CRUMBS}>
      <Panel>
        <SkeletonRows />
      </Panel>
    </Page>
  )
  if (app.error && !app.data)
    return (
      <Page title="App" crumbs={CRUMBS}>
        <Panel>
          <Load query={app}>{() => null}</Load>
        </Panel>
      </Page>
    )
  return app.data ? <AppView key={appId} app={app.data} /> : faceless
}

function AppView({ app }: { app: App }) {
  const user = useUser()
  const names = useNames()
  const project = names.projectOf(app.projectId)
  return (
    <Page
      title={app.name}
      crumbs={CRUMBS}
      lead={<Status app={app} />}
      actions={
        <AppHeaderActions app={app} mayOperate={canOperate(user, project)} mayMaintain={canMaintain(user, project)} />
      }
    >
      <div className="grid gap-4 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <div className="grid min-w-0 content-start gap-4">
          <AppServices app={app} />
          <AppOperations app={app}>
            <AppLogs app={app} />
          </AppOperations>
        </div>
        <Panel title="About" className="self-start">
          <Facts facts={facts(app, names)} />
        </Panel>
      </div>
    </Page>
  )
}

function Status({ app }: { app: App }) {
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-1">
      <StatusBadge status={app.status} reason={app.statusReason} className="text-ink" />
      {app.startedAt && app.status !== 'stopped' && (
        <span>
          started <Age at={app.startedAt} />
        </span>
      )}
      {app.stopAt && (
        <span>
          stops in <CountDown to={app.stopAt} className="nums font-medium text-ink" />, at {formatTimeOfDay(app.stopAt)}
        </span>
      )}
    </div>
  )
}

function facts(app: App, names: ReturnType<typeof useNames>): Fact[] {
  const link = 'rounded text-accent hover:underline'
  return [
    {
      label: 'Address',
      value: webAddress(app.appUrl) ? (
        <a
          href={webAddress(app.appUrl) ?? undefined}
          target="_blank"
          rel="noreferrer"
          className={`${link} inline-flex max-w-full items-center gap-1`}
        >
          <span className="truncate">{app.appUrl?.replace(/^https?:\/\//, '')}</span>
          <ExternalLink className="size-3 shrink-0" aria-label="opens in a new tab" />
        </a>
      ) : (
        <span className="break-all text-ink-3">{app.appUrl ?? 'none'}</span>
      ),
    },
    {
      label: 'Server',
      value: (
        <Link to="/servers/$serverId" params={{ serverId: app.serverId }} className={link}>
          {names.server(app.serverId)}
        </Link>
      ),
    },
    {
      label: 'Project',
      value: (
        <Link to="/projects/$projectId" params={{ projectId: app.projectId }} className={link}>
          {names.project(app.projectId)}
        </Link>
      ),
    },
    {
      label: 'Directory',
      value: (
        <span className="flex items-start gap-1">
          <code className="min-w-0 break-all font-mono text-xs leading-5">{app.cdPath}</code>
          <span className="-my-1">
            <Copy text={app.cdPath} label="Copy the directory" />
          </span>
        </span>
      ),
    },
    {
      label: 'Auto-stop',
      value: app.autoStopTimeout === 0 ? 'never' : `after ${formatMinutes(app.autoStopTimeout)}`,
    },
    { label: 'Status from', value: <Age at={app.statusAt ?? app.updatedAt} /> },
  ]
}
