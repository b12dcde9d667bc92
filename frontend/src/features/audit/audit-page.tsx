import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { ScrollText, SearchX } from 'lucide-react'
import { auditQuery } from '@/api/audit'
import { usersQuery } from '@/api/users'
import { EmptyState } from '@/components/empty-state'
import { Load } from '@/components/load'
import { LoadMore } from '@/components/load-more'
import { Page, Panel } from '@/components/page'
import { Button } from '@/components/ui/button'
import { Field, Input, Select } from '@/components/ui/field'
import { AuditTable } from './audit-table'
import { dayEnd, dayStart } from './days'

const route = getRouteApi('/_in/audit')
const TYPES = ['user', 'server', 'project', 'app', 'operation']

export function AuditPage() {
  const search = route.useSearch()
  const list = useInfiniteQuery(
    auditQuery({
      userId: search.user,
      action: search.action,
      resourceType: search.type,
      resourceId: search.resource,
      from: dayStart(search.from),
      to: dayEnd(search.to),
    }),
  )
  const filtered = Object.values(search).some(Boolean)
  return (
    <Page title="Audit">
      <Filters />
      <Panel>
        <Load query={{ ...list, data: list.data?.pages.flatMap((page) => page.items) }}>
          {(found) =>
            found.length > 0 ? (
              <>
                <AuditTable logs={found} />
                <LoadMore {...list} />
              </>
            ) : (
              <Nothing filtered={filtered} />
            )
          }
        </Load>
      </Panel>
    </Page>
  )
}

function Nothing({ filtered }: { filtered: boolean }) {
  if (!filtered) return <EmptyState icon={ScrollText} title="Nothing has happened yet" />
  const clear = (
    <Button asChild>
      <Link to="/audit">Clear the filters</Link>
    </Button>
  )
  return <EmptyState icon={SearchX} title="No entry fits" action={clear} />
}

function Filters() {
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const users = useQuery(usersQuery).data ?? []
  const set = (change: Partial<typeof search>) =>
    void navigate({ replace: true, search: (old) => ({ ...old, ...change }) })
  return (
    <search className="mb-3 grid grid-cols-2 gap-2 md:flex md:flex-wrap md:items-end">
      <Field label="Who" className="md:w-40">
        <Select value={search.user ?? ''} onChange={(e) => set({ user: e.target.value || undefined })}>
          <option value="">Anyone</option>
          {users.map((user) => (
            <option key={user.id} value={user.id}>
              {user.username}
            </option>
          ))}
        </Select>
      </Field>
      <Field label="Action" className="md:w-44">
        <Input
          key={search.action ?? ''}
          placeholder="APP_START"
          className="font-mono text-xs uppercase placeholder:normal-case"
          defaultValue={search.action ?? ''}
          onBlur={(e) => set({ action: e.target.value.trim().toUpperCase() || undefined })}
          onKeyDown={(e) => e.key === 'Enter' && e.currentTarget.blur()}
        />
      </Field>
      <Field label="On" className="md:w-36">
        <Select value={search.type ?? ''} onChange={(e) => set({ type: e.target.value || undefined })}>
          <option value="">Anything</option>
          {TYPES.map((type) => (
            <option key={type}>{type}</option>
          ))}
        </Select>
      </Field>
      <Field label="From" className="md:w-36">
        <Input type="date" value={search.from ?? ''} onChange={(e) => set({ from: e.target.value || undefined })} />
      </Field>
      <Field label="To" className="md:w-36">
        <Input type="date" value={search.to ?? ''} onChange={(e) => set({ to: e.target.value || undefined })} />
      </Field>
    </search>
  )
}
