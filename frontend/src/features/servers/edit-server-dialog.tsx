import { useState } from 'react'
import { asProblem } from '@/api/problem'
import { useEditServer } from '@/api/servers'
import type { Server } from '@/api/types'
import { ProblemNote } from '@/components/error-state'
import { Button } from '@/components/ui/button'
import { Dialog, DialogForm } from '@/components/ui/dialog'
import { type Draft, draftOf, isComplete, updateOf } from './draft'
import { ServerFields } from './server-fields'

type Props = { server: Server; open: boolean; onOpenChange: (open: boolean) => void }

export function EditServerDialog({ server, open, onOpenChange }: Props) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={`Edit ${server.name}`} wide>
      <EditForm server={server} onDone={() => onOpenChange(false)} />
    </Dialog>
  )
}

function EditForm({ server, onDone }: { server: Server; onDone: () => void }) {
  const [draft, setDraft] = useState<Draft>(() => draftOf(server))
  const edit = useEditServer(server.id)
  return (
    <DialogForm
      onSubmit={() => edit.mutate(updateOf(draft), { onSuccess: onDone })}
      footer={
        <>
          <Button onClick={onDone}>Cancel</Button>
          <Button type="submit" variant="primary" pending={edit.isPending} disabled={!isComplete(draft)}>
            Save
          </Button>
        </>
      }
    >
      <ServerFields
        editing
        draft={draft}
        onChange={(part) => setDraft((old) => ({ ...old, ...part }))}
        errors={edit.error ? asProblem(edit.error).fields : {}}
      />
      <ProblemNote error={edit.error} />
    </DialogForm>
  )
}
