import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { asProblem } from '@/api/problem'
import { useAddServer, useTestDraft } from '@/api/servers'
import type { Server } from '@/api/types'
import { ProblemNote } from '@/components/error-state'
import { Button } from '@/components/ui/button'
import { Dialog, DialogForm } from '@/components/ui/dialog'
import { ConnectServer } from './connect-server'
import { credentialOf, type Draft, draftOf, inputOf, isComplete } from './draft'
import { Fingerprint } from './fingerprints'
import { ServerFields } from './server-fields'
import { TestSteps } from './test-steps'

type Props = { open: boolean; onOpenChange: (open: boolean) => void }

export function AddServerDialog({ open, onOpenChange }: Props) {
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Add server"
      description="Reached by plain SSH; nothing is installed on it."
      wide
    >
      <AddServer onClose={() => onOpenChange(false)} />
    </Dialog>
  )
}

/** First what the server is, with a test that saves nothing; then, on the saved server, the way to a working connection. */
function AddServer({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate()
  const [added, setAdded] = useState<Server | null>(null)
  if (!added) return <Describe onClose={onClose} onAdded={setAdded} />
  const done = () => void navigate({ to: '/servers/$serverId', params: { serverId: added.id } })
  return <ConnectServer server={added} testAtOnce={added.credential.kind !== 'generated'} onDone={done} />
}

function Describe({ onClose, onAdded }: { onClose: () => void; onAdded: (server: Server) => void }) {
  const [draft, setDraft] = useState<Draft>(() => draftOf())
  const add = useAddServer()
  const test = useTestDraft()
  const [trusted, setTrusted] = useState<string | null>(null)
  const offered = test.data?.offeredHostKey
  const change = (part: Partial<Draft>) => {
    setDraft((old) => ({ ...old, ...part }))
    if ('address' in part || 'sshPort' in part) setTrusted(null)
    if (!('name' in part)) test.reset()
  }
  const tryOut = (hostKeyFingerprint: string | null) => {
    const { address, sshUser, sshPort, credential } = inputOf(draft)
    setTrusted(hostKeyFingerprint)
    test.mutate({ address, sshUser, sshPort, credential, hostKeyFingerprint })
  }
  const error = add.error ?? test.error
  const testable = draft.kind !== 'generated' && credentialOf(draft) !== undefined
  return (
    <DialogForm
      onSubmit={() => add.mutate({ body: inputOf(draft), trusted }, { onSuccess: onAdded })}
      footer={
        <>
          <Button variant="ghost" className="mr-auto" onClick={onClose}>
            Cancel
          </Button>
          {testable && (
            <Button pending={test.isPending} disabled={!isComplete(draft)} onClick={() => tryOut(trusted)}>
              Test
            </Button>
          )}
          <Button type="submit" variant="primary" pending={add.isPending} disabled={!isComplete(draft)}>
            Add and go on
          </Button>
        </>
      }
    >
      <ServerFields draft={draft} onChange={change} errors={error ? asProblem(error).fields : {}} />
      {(test.isPending || test.data) && <TestSteps report={test.data} pending={test.isPending} />}
      {offered && !test.isPending && (
        <div className="grid justify-items-start gap-2">
          <Fingerprint label={trusted ? 'Trusted' : 'Offered'} hostKey={offered} />
          {!trusted && (
            <Button onClick={() => tryOut(offered.fingerprint)}>This is the right key: trust it and test on</Button>
          )}
        </div>
      )}
      <ProblemNote error={error} />
    </DialogForm>
  )
}
