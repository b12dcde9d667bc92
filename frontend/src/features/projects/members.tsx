import { useQuery } from '@tanstack/react-query'
import { UserMinus } from 'lucide-react'
import { useState } from 'react'
import { membersQuery, useRemoveMember, useSetMember } from '@/api/projects'
import { can } from '@/api/rights'
import { useUser } from '@/api/session'
import type { Member, MemberRole, Project } from '@/api/types'
import { usersQuery } from '@/api/users'
import { Confirm } from '@/components/confirm'
import { Load } from '@/components/load'
import { Panel } from '@/components/page'
import { Button } from '@/components/ui/button'
import { Select } from '@/components/ui/field'
import { toast } from '@/components/ui/toast'

const ROLES: Record<MemberRole, string> = {
  viewer: 'Viewer: sees',
  operator: 'Operator: starts and stops',
  maintainer: 'Maintainer: changes',
}
const ROLE_NAMES = Object.keys(ROLES) as MemberRole[]

export function Members({ project, mayChange }: { project: Project; mayChange: boolean }) {
  const members = useQuery(membersQuery(project.id))
  return (
    <Panel title="Members" className="self-start">
      <Load query={members}>
        {(found) => (
          <>
            <ul aria-label="Members">
              {found.map((member) => (
                <MemberRow key={member.userId} project={project} member={member} mayChange={mayChange} />
              ))}
            </ul>
            {found.length === 0 && <p className="px-4 py-3 text-ink-2">Only administrators see this project.</p>}
            {mayChange && <AddMember project={project} members={found} />}
          </>
        )}
      </Load>
    </Panel>
  )
}

type RowProps = { project: Project; member: Member; mayChange: boolean }

function MemberRow({ project, member, mayChange }: RowProps) {
  const setMember = useSetMember(project.id)
  const remove = useRemoveMember(project.id)
  const name = member.name || member.username
  const change = (role: MemberRole) =>
    setMember.mutate(
      { userId: member.userId, role },
      { onError: (thrown) => toast.problem('The role was not changed', thrown) },
    )
  return (
    <li className="flex min-h-11 items-center gap-2 border-line border-b py-1.5 pr-2 pl-4 last:border-0">
      <span className="min-w-0 flex-1">
        <span className="block truncate font-medium leading-4">{name}</span>
        {member.name && <span className="block truncate text-ink-3 text-xs leading-4">{member.username}</span>}
      </span>
      {mayChange ? (
        <>
          <Select
            aria-label={`Role of ${name}`}
            className="h-7 w-28 text-xs"
            value={member.role}
            disabled={setMember.isPending}
            onChange={(e) => change(e.target.value as MemberRole)}
          >
            {ROLE_NAMES.map((role) => (
              <option key={role} value={role}>
                {ROLES[role].split(':')[0]}
              </option>
            ))}
          </Select>
          <Confirm
            trigger={
              <Button variant="ghost" size="icon" aria-label={`Remove ${name}`}>
                <UserMinus />
              </Button>
            }
            title={`Remove ${name} from ${project.name}?`}
            action="Remove"
            danger
            onConfirm={() => remove.mutateAsync(member.userId)}
          >
            <p>Their rights in this project end at once.</p>
          </Confirm>
        </>
      ) : (
        <span className="pr-2 text-ink-2 capitalize">{member.role}</span>
      )}
    </li>
  )
}

/** Only who may list the users can choose one of them. */
function AddMember({ project, members }: { project: Project; members: Member[] }) {
  const mayList = can(useUser(), 'users:manage')
  const users = useQuery({ ...usersQuery, enabled: mayList }).data ?? []
  const setMember = useSetMember(project.id)
  const [userId, setUserId] = useState('')
  const [role, setRole] = useState<MemberRole>('operator')
  const free = users.filter((user) => !members.some((member) => member.userId === user.id))
  if (!mayList || free.length === 0) return null
  const add = () =>
    setMember.mutate(
      { userId, role },
      { onSuccess: () => setUserId(''), onError: (thrown) => toast.problem('The member was not added', thrown) },
    )
  return (
    <div className="grid gap-2 border-line border-t bg-sunken/50 p-3">
      <Select aria-label="User to add" value={userId} onChange={(e) => setUserId(e.target.value)}>
        <option value="">Add a member…</option>
        {free.map((user) => (
          <option key={user.id} value={user.id}>
            {user.name || user.username}
          </option>
        ))}
      </Select>
      {userId && (
        <div className="flex gap-2">
          <Select aria-label="Role" value={role} onChange={(e) => setRole(e.target.value as MemberRole)}>
            {ROLE_NAMES.map((each) => (
              <option key={each} value={each}>
                {ROLES[each]}
              </option>
            ))}
          </Select>
          <Button variant="primary" pending={setMember.isPending} onClick={add}>
            Add
          </Button>
        </div>
      )}
    </div>
  )
}
