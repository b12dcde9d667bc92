import { useQuery } from '@tanstack/react-query'
import { CircleCheck, CircleMinus, EllipsisVertical, Pencil, Plus, Trash2, Users } from 'lucide-react'
import { useState } from 'react'
import { useUser } from '@/api/session'
import type { User } from '@/api/types'
import { useDeleteUser, usersQuery } from '@/api/users'
import { Age } from '@/components/age'
import { Confirm } from '@/components/confirm'
import { type Column, DataTable } from '@/components/data-table'
import { EmptyState } from '@/components/empty-state'
import { Load } from '@/components/load'
import { Page, Panel } from '@/components/page'
import { Button } from '@/components/ui/button'
import { Menu, MenuItem } from '@/components/ui/menu'
import { UserDialog } from './user-dialog'

export function UsersPage() {
  const users = useQuery(usersQuery)
  const [adding, setAdding] = useState(false)
  const add = (
    <Button variant="primary" onClick={() => setAdding(true)}>
      <Plus />
      Add user
    </Button>
  )
  return (
    <Page title="Users" actions={!users.error && add}>
      <Panel>
        <Load query={users}>
          {(found) =>
            found.length > 0 ? (
              <DataTable label="Users" columns={COLUMNS} rows={found} rowKey={(user) => user.id} />
            ) : (
              <EmptyState icon={Users} title="No users" action={add} />
            )
          }
        </Load>
      </Panel>
      <UserDialog open={adding} onOpenChange={setAdding} />
    </Page>
  )
}

const COLUMNS: Column<User>[] = [
  {
    id: 'name',
    header: 'User',
    width: 'minmax(0, 1.6fr)',
    cell: (user) => (
      <>
        <span className="block truncate font-medium">{user.name || user.username}</span>
        {user.name && <span className="block truncate text-ink-3 text-xs leading-4">{user.username}</span>}
      </>
    ),
  },
  {
    id: 'email',
    header: 'E-mail',
    width: 'minmax(0, 1.6fr)',
    from: 'md',
    cell: (user) => <span className="block truncate text-ink-2">{user.email ?? '–'}</span>,
  },
  {
    id: 'role',
    header: 'Role',
    width: '6.5rem',
    cell: (user) => (user.role === 'admin' ? 'Administrator' : 'User'),
  },
  {
    id: 'state',
    header: 'State',
    width: '6.5rem',
    from: 'md',
    cell: (user) => {
      const Icon = user.isEnabled ? CircleCheck : CircleMinus
      return (
        <span className="flex items-center gap-1.5">
          <Icon className={`size-3.5 ${user.isEnabled ? 'text-good' : 'text-ink-3'}`} aria-hidden />
          {user.isEnabled ? 'Enabled' : 'Disabled'}
        </span>
      )
    },
  },
  {
    id: 'seen',
    header: 'Signed in',
    width: '6.5rem',
    from: 'md',
    align: 'end',
    cell: (user) => (
      <span className="text-ink-2">
        <Age at={user.lastLoginAt} />
      </span>
    ),
  },
  {
    id: 'act',
    header: <span className="sr-only">Actions</span>,
    width: '2rem',
    align: 'end',
    cell: (user) => <UserActions user={user} />,
  },
]

function UserActions({ user }: { user: User }) {
  const me = useUser()
  const remove = useDeleteUser(user.id)
  const [open, setOpen] = useState<'edit' | 'delete' | null>(null)
  return (
    <>
      <Menu
        trigger={
          <Button variant="ghost" size="icon" aria-label={`Actions for ${user.username}`}>
            <EllipsisVertical />
          </Button>
        }
      >
        <MenuItem onSelect={() => setOpen('edit')}>
          <Pencil />
          Edit…
        </MenuItem>
        <MenuItem danger disabled={user.id === me.id} onSelect={() => setOpen('delete')}>
          <Trash2 />
          Delete…
        </MenuItem>
      </Menu>
      <UserDialog open={open === 'edit'} onOpenChange={() => setOpen(null)} user={user} />
      <Confirm
        open={open === 'delete'}
        onOpenChange={() => setOpen(null)}
        title={`Delete ${user.username}?`}
        action="Delete user"
        danger
        onConfirm={() => remove.mutateAsync()}
      >
        <p>
          Their sessions end within a second. What they did stays in the audit log. To only lock them out, disable them.
        </p>
      </Confirm>
    </>
  )
}
