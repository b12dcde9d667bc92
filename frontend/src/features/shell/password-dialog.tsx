import { useState } from 'react'
import { asProblem } from '@/api/problem'
import { useChangePassword } from '@/api/session'
import { ProblemNote } from '@/components/error-state'
import { Button } from '@/components/ui/button'
import { Dialog, DialogForm } from '@/components/ui/dialog'
import { Field, Input } from '@/components/ui/field'
import { toast } from '@/components/ui/toast'

type Props = { open: boolean; onOpenChange: (open: boolean) => void }

export function PasswordDialog({ open, onOpenChange }: Props) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="Change password" description="Your other sessions end.">
      <PasswordForm onDone={() => onOpenChange(false)} />
    </Dialog>
  )
}

function PasswordForm({ onDone }: { onDone: () => void }) {
  const change = useChangePassword()
  const [currentPassword, setCurrent] = useState('')
  const [newPassword, setNew] = useState('')
  const [again, setAgain] = useState('')
  const fields = change.error ? asProblem(change.error).fields : {}
  const differs = again !== '' && again !== newPassword
  const submit = () => {
    if (again !== newPassword) return
    const onSuccess = () => {
      toast.good('Password changed')
      onDone()
    }
    change.mutate({ currentPassword, newPassword }, { onSuccess })
  }
  return (
    <DialogForm
      onSubmit={submit}
      footer={
        <>
          <Button onClick={onDone}>Cancel</Button>
          <Button
            type="submit"
            variant="primary"
            pending={change.isPending}
            disabled={!currentPassword || !newPassword || again !== newPassword}
          >
            Change password
          </Button>
        </>
      }
    >
      <Field label="Current password" error={fields.currentPassword}>
        <Input
          type="password"
          autoComplete="current-password"
          autoFocus
          value={currentPassword}
          onChange={(e) => setCurrent(e.target.value)}
        />
      </Field>
      <Field label="New password" error={fields.newPassword}>
        <Input
          type="password"
          autoComplete="new-password"
          value={newPassword}
          onChange={(e) => setNew(e.target.value)}
        />
      </Field>
      <Field label="New password again" error={differs ? 'The two are not the same.' : undefined}>
        <Input type="password" autoComplete="new-password" value={again} onChange={(e) => setAgain(e.target.value)} />
      </Field>
      <ProblemNote error={change.error} />
    </DialogForm>
  )
}
