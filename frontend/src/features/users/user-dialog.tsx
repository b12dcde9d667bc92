import { useState } from 'react'
import { asProblem } from '@/api/problem'
import { useUser } from '@/api/session'
import type { Role, User } from '@/api/types'
import { useAddUser, useEditUser } from '@/api/users'
import { ProblemNote } from '@/components/error-state'
import { Button } from '@/components/ui/button'
import { Dialog, DialogForm } from '@/components/ui/dialog'
import { Checkbox, Field, Input, Select } from '@/components/ui/field'

type Props = { open: boolean; onOpenChange: (open: boolean) => void; user?: User }

export function UserDialog({ open, onOpenChange, user }: Props) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={user ? `Edit ${user.username}` : 'Add user'}>
      <UserForm user={user} onDone={() => onOpenChange(false)} />
    </Dialog>
  )
}

function UserForm({ user, onDone }: { user?: User; onDone: () => void }) {
  const me = useUser()
  const add = useAddUser()
  const edit = useEditUser(user?.id ?? '')
  const save = user ? edit : add
  const [form, setForm] = useState({
    username: user?.username ?? '',
    name: user?.name ?? '',
    email: user?.email ?? '',
    role: user?.role ?? ('user' as Role),
    isEnabled: user?.isEnabled ?? true,
    password: '',
  })
  const set = (change: Partial<typeof form>) => setForm((old) => ({ ...old, ...change }))
  const fields = save.error ? asProblem(save.error).fields : {}
  const submit = () => {
    const { password, ...rest } = form
    const body = { ...rest, username: form.username.trim(), name: form.name.trim(), email: form.email.trim() || null }
    if (user) edit.mutate(password ? { ...body, password } : body, { onSuccess: onDone })
    else add.mutate({ ...body, password }, { onSuccess: onDone })
  }
  const self = user?.id === me.id
  return (
    <DialogForm
      onSubmit={submit}
      footer={
        <>
          <Button onClick={onDone}>Cancel</Button>
          <Button
            type="submit"
            variant="primary"
            pending={save.isPending}
            disabled={!form.username.trim() || (!user && !form.password)}
          >
            {user ? 'Save' : 'Add user'}
          </Button>
        </>
      }
    >
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Username" error={fields.username}>
          <Input
            value={form.username}
            maxLength={64}
            autoCapitalize="none"
            autoFocus
            onChange={(e) => set({ username: e.target.value })}
          />
        </Field>
        <Field label="Name" error={fields.name}>
          <Input value={form.name} maxLength={200} onChange={(e) => set({ name: e.target.value })} />
        </Field>
      </div>
      <Field label="E-mail" error={fields.email}>
        <Input type="email" value={form.email} onChange={(e) => set({ email: e.target.value })} />
      </Field>
      <Field label="Role" error={fields.role} hint={self ? 'You cannot change your own role.' : undefined}>
        <Select value={form.role} disabled={self} onChange={(e) => set({ role: e.target.value as Role })}>
          <option value="user">User: sees the projects of which they are a member</option>
          <option value="admin">Administrator: sees and changes everything</option>
        </Select>
      </Field>
      <Field
        label={user ? 'New password' : 'Password'}
        error={fields.password}
        hint={user ? 'Empty: it stays as it is.' : undefined}
      >
        <Input
          type="password"
          autoComplete="new-password"
          value={form.password}
          onChange={(e) => set({ password: e.target.value })}
        />
      </Field>
      {user && !self && (
        <Checkbox
          label="Enabled: may sign in"
          checked={form.isEnabled}
          onChange={(e) => set({ isEnabled: e.target.checked })}
        />
      )}
      <ProblemNote error={save.error} />
    </DialogForm>
  )
}
