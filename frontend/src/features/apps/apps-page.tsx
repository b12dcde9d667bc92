import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { Boxes, Plus, Search, SearchX } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { appsQuery } from '@/api/apps'
import { projectsQuery } from '@/api/projects'
import { canMaintain } from '@/api/rights'
import { serversQuery } from '@/api/servers'
import { useUser } from '@/api/session'
import type { App } from '@/api/types'
import { AppDialog } from '@/components/app-dialog'
import { AppsTable } from '@/components/apps-table'
import { EmptyState } from '@/components/empty-state'
import { Load } from '@/components/load'
import { Page, Panel } from '@/components/page'
import { Button } from '@/components/ui/button'
import { Input, Select } from '@/components/ui/field'
import { useNames } from '@/components/use-names'
import { usePolling } from '@/live/live'
import { filterApps, sortApps } from './filter'

const route = getRouteApi('/_in/apps')
const STATES = ['running', 'starting', 'stopping', 'stopped', 'degraded', 'error', 'unknown'] as const

export function AppsPage() {
  const user = useUser()
  const apps = useQuery({ ...appsQuery, refetchInterval: usePolling() })
  const projects = useQuery(projectsQuery).data ?? []
  const [adding, setAdding] = useState(false)
  const mayAdd = projects.some((project) => canMaintain(user, project)) || user.role === 'admin'
  const add = mayAdd && (
    <Button variant="primary" onClick={() => setAdding(true)}>
      <Plus />
      Add app
    </Button>
  )
  return (
    <Page title="Apps" actions={add}>
      <Filters />
      <Panel>
        <Load query={apps}>{(all) => <Found all={all} add={add} />}</Load>
      </Panel>
      <AppDialog open={adding} onOpenChange={setAdding} />
    </Page>
  )
}

function Found({ all, add }: { all: App[]; add: ReactNode }) {
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const names = useNames()
  const sort = { by: search.sort ?? 'name', down: search.down ?? false }
  if (all.length === 0)
    return (
      <EmptyState icon={Boxes} title="No apps yet" action={add}>
        An app is a directory with a compose file on one of your servers.
      </EmptyState>
    )
  const apps = sortApps(filterApps(all, search), sort)
  if (apps.length === 0)
    return (
      <EmptyState
        icon={SearchX}
        title="No app fits"
        action={
          <Button asChild>
            <Link to="/apps">Clear the filters</Link>
          </Button>
        }
      />
    )
  return (
    <AppsTable
      apps={apps}
      names={names}
      sort={sort}
      onSort={({ by, down }) =>
        void navigate({
          replace: true,
          search: (old) => ({ ...old, sort: by as 'name' | 'status' | 'stop', down: down || undefined }),
        })
      }
    />
  )
}

function Filters() {
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const projects = useQuery(projectsQuery).data ?? []
  const servers = useQuery(serversQuery).data ?? []
  const set = (change: Partial<typeof search>) =>
    void navigate({ replace: true, search: (old) => ({ ...old, ...change }), resetScroll: false })
  return (
    <search className="mb-3 grid grid-cols-2 gap-2 md:flex">
      <div className="relative max-md:col-span-2 md:w-64">
        <Search className="absolute top-1/2 left-2.5 size-3.5 -translate-y-1/2 text-ink-3" aria-hidden />
        <Input
          type="search"
          aria-label="Find apps"
          placeholder="Name, path or address"
          className="pl-8"
          value={search.q ?? ''}
          onChange={(event) => set({ q: event.target.value || undefined })}
        />
      </div>
      <Select
        aria-label="Status"
        className="md:w-36"
        value={search.status ?? ''}
        onChange={(event) => set({ status: STATES.find((state) => state === event.target.value) })}
      >
        <option value="">Any status</option>
        {STATES.map((state) => (
          <option key={state} value={state}>
            {state[0]?.toUpperCase() + state.slice(1)}
          </option>
        ))}
      </Select>
      <Choice label="Any project" value={search.project} from={projects} onChange={(project) => set({ project })} />
      <Choice label="Any server" value={search.server} from={servers} onChange={(server) => set({ server })} />
    </search>
  )
}

type ChoiceProps = {
  label: string
  value: string | undefined
  from: { id: string; name: string }[]
  onChange: (id: string | undefined) => void
}

function Choice({ label, value, from, onChange }: ChoiceProps) {
  return (
    <Select
      aria-label={label.replace('Any ', '')}
      className="max-md:last:col-span-2 md:w-44"
      value={value ?? ''}
      onChange={(event) => onChange(event.target.value || undefined)}
    >
      <option value="">{label}</option>
      {from.map((each) => (
        <option key={each.id} value={each.id}>
          {each.name}
        </option>
      ))}
    </Select>
  )
}
