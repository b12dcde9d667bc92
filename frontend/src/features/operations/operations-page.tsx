import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { Activity, SearchX } from 'lucide-react'
import { appsQuery } from '@/api/apps'
import { operationsQuery } from '@/api/operations'
import { serversQuery } from '@/api/servers'
import { EmptyState } from '@/components/empty-state'
import { Load } from '@/components/load'
import { LoadMore } from '@/components/load-more'
import { OperationsTable } from '@/components/operations-table'
import { Page, Panel } from '@/components/page'
import { Button } from '@/components/ui/button'
import { Select } from '@/components/ui/field'
import { useNames } from '@/components/use-names'
import { usePolling } from '@/live/live'

const route = getRouteApi('/_in/operations')
const STATES = ['queued', 'running', 'succeeded', 'failed', 'cancelled', 'lost'] as const

export function OperationsPage() {
  const { app, server, state } = route.useSearch()
  const names = useNames()
  const filter = { appId: app, serverId: server, state }
  const list = useInfiniteQuery({ ...operationsQuery(filter), refetchInterval: usePolling() })
  const operations = list.data?.pages.flatMap((page) => page.items)
  return (
    <Page title="Operations">
      <Filters />
      <Panel>
        <Load query={{ ...list, data: operations }}>
          {(found) =>
            found.length > 0 ? (
              <>
                <OperationsTable operations={found} names={names} />
                <LoadMore {...list} />
              </>
            ) : (
              <Nothing filtered={Boolean(app || server || state)} />
            )
          }
        </Load>
      </Panel>
    </Page>
  )
}

function Nothing({ filtered }: { filtered: boolean }) {
  if (!filtered)
    return (
      <EmptyState icon={Activity} title="Nothing was done yet">
        Every start, stop, restart and pull is kept here, whoever or whatever asked for it.
      </EmptyState>
    )
  const clear = (
    <Button asChild>
      <Link to="/operations">Clear the filters</Link>
    </Button>
  )
  return <EmptyState icon={SearchX} title="No operation fits" action={clear} />
}

function Filters() {
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const apps = useQuery(appsQuery).data ?? []
  const servers = useQuery(serversQuery).data ?? []
  const set = (change: Partial<typeof search>) =>
    void navigate({ replace: true, search: (old) => ({ ...old, ...change }) })
  return (
    <search className="mb-3 grid grid-cols-2 gap-2 md:flex">
      <Select
        aria-label="State"
        className="md:w-36"
        value={search.state ?? ''}
        onChange={(event) => set({ state: STATES.find((state) => state === event.target.value) })}
      >
        <option value="">Any state</option>
        {STATES.map((state) => (
          <option key={state} value={state}>
            {state[0]?.toUpperCase() + state.slice(1)}
          </option>
        ))}
      </Select>
      <Select
        aria-label="App"
        className="md:w-52"
        value={search.app ?? ''}
        onChange={(e) => set({ app: e.target.value || undefined })}
      >
        <option value="">Any app</option>
        {apps.map((app) => (
          <option key={app.id} value={app.id}>
            {app.name}
          </option>
        ))}
      </Select>
      <Select
        aria-label="Server"
        className="md:w-44"
        value={search.server ?? ''}
        onChange={(e) => set({ server: e.target.value || undefined })}
      >
        <option value="">Any server</option>
        {servers.map((server) => (
          <option key={server.id} value={server.id}>
            {server.name}
          </option>
        ))}
      </Select>
    </search>
  )
}
