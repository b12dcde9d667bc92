import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { appsQuery } from '@/api/apps'
import { isOver, operationsQuery } from '@/api/operations'
import { projectsQuery } from '@/api/projects'
import { serversQuery } from '@/api/servers'
import { isUp } from '@/components/app-actions'
import { AppsTable } from '@/components/apps-table'
import { Load } from '@/components/load'
import { OperationsTable } from '@/components/operations-table'
import { Page, Panel } from '@/components/page'
import { SkeletonRows } from '@/components/skeleton'
import { useNames } from '@/components/use-names'
import { now } from '@/lib/clock'
import { usePolling } from '@/live/live'
import { concerns } from './attention'
import { Attention } from './attention-panel'
import { FirstSteps } from './first-steps'
import { Tallies } from './tallies'

const RECENT = 30
const SHOWN = 8

export function OverviewPage() {
  const polling = usePolling()
  const apps = useQuery({ ...appsQuery, refetchInterval: polling })
  const servers = useQuery({ ...serversQuery, refetchInterval: polling })
  const projects = useQuery(projectsQuery)
  const recent = useInfiniteQuery({ ...operationsQuery({}, RECENT), refetchInterval: polling })
  const names = useNames()
  const operations = recent.data?.pages[0]?.items
  if (servers.data && apps.data && projects.data && apps.data.length === 0)
    return (
      <Page title="Overview">
        <FirstSteps servers={servers.data} projects={projects.data} />
      </Page>
    )
  // All at once, so that nothing moves when the last answer comes.
  if ([apps, servers, projects, recent].some((query) => query.isPending))
    return (
      <Page title="Overview">
        <Panel>
          <SkeletonRows />
        </Panel>
      </Page>
    )
  const running = apps.data
    ?.filter((app) => isUp(app) || app.status === 'starting' || app.status === 'stopping')
    .toSorted((a, b) => (a.stopAt ?? Number.MAX_SAFE_INTEGER) - (b.stopAt ?? Number.MAX_SAFE_INTEGER))
  const going = operations?.filter((operation) => !isOver(operation)) ?? []
  const found = concerns({
    servers: servers.data ?? [],
    apps: apps.data ?? [],
    operations: operations ?? [],
    now: now(),
  })
  return (
    <Page title="Overview">
      <div className="grid gap-4">
        <Tallies servers={servers.data} apps={apps.data} failed={servers.isError || apps.isError} />
        {found.length > 0 && <Attention concerns={found} />}
        {going.length > 0 && (
          <Panel title="Going on now">
            <OperationsTable operations={going} names={names} />
          </Panel>
        )}
        <Panel title="Running">
          <Load query={{ ...apps, data: running }}>
            {(shown) =>
              shown.length > 0 ? (
                <AppsTable apps={shown} names={names} />
              ) : (
                <p className="px-4 py-6 text-center text-ink-2">
                  Nothing runs. What is started shows here, with the time when it stops.
                </p>
              )
            }
          </Load>
        </Panel>
        <Panel title="Recently">
          <Load query={{ ...recent, data: operations }}>
            {(shown) =>
              shown.length > 0 ? (
                <OperationsTable operations={shown.filter(isOver).slice(0, SHOWN)} names={names} />
              ) : (
                <p className="px-4 py-6 text-center text-ink-2">Nothing was done yet.</p>
              )
            }
          </Load>
        </Panel>
      </div>
    </Page>
  )
}
