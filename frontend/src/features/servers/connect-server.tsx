import { useQuery } from '@tanstack/react-query'
import { useEffect, useRef } from 'react'
import { serverQuery, useTestServer, useTrustHostKey } from '@/api/servers'
import type { Server } from '@/api/types'
import { CopyLine } from '@/components/copy'
import { ProblemNote } from '@/components/error-state'
import { Button } from '@/components/ui/button'
import { DialogBody, DialogFooter } from '@/components/ui/dialog'
import { Fingerprint } from './fingerprints'
import { TestSteps } from './test-steps'

type Props = { server: Server; testAtOnce: boolean; onDone: () => void }

/** The last step of adding a server: put the key there, trust the machine's, and see the connection work. */
export function ConnectServer({ server: added, testAtOnce, onDone }: Props) {
  const server = useQuery({ ...serverQuery(added.id), initialData: added }).data
  const test = useTestServer(server.id)
  const trust = useTrustHostKey(server.id)
  const { mutate } = test
  const started = useRef(false)
  useEffect(() => {
    if (!testAtOnce || started.current) return
    started.current = true
    mutate()
  }, [testAtOnce, mutate])
  const offered = server.hostKey ? null : (test.data?.offeredHostKey ?? server.offeredHostKey ?? null)
  const works = test.data?.ok === true
  const line = server.credential.authorizedKey
  return (
    <>
      <DialogBody>
        {line && (
          <div className="grid gap-1.5">
            <p>
              Add this line to <code className="font-mono text-xs">~{server.sshUser}/.ssh/authorized_keys</code> on{' '}
              <strong className="font-medium">{server.address}</strong>:
            </p>
            <CopyLine text={line} label="Copy the line" />
          </div>
        )}
        {(test.isPending || test.data) && <TestSteps report={test.data} pending={test.isPending} />}
        {offered && !test.isPending && (
          <div className="grid gap-2">
            <Fingerprint label="Offered" hostKey={offered} />
            <p className="text-ink-2">Is this the machine that you mean? Compare the fingerprint, then trust it.</p>
          </div>
        )}
        {works && <p className="font-medium text-good">Everything works. The server is ready.</p>}
        <ProblemNote error={test.error ?? trust.error} />
      </DialogBody>
      <DialogFooter>
        <Button variant={works ? 'primary' : 'ghost'} onClick={onDone}>
          {works ? 'Done' : 'Finish later'}
        </Button>
        {offered && !test.isPending ? (
          <Button
            variant="primary"
            pending={trust.isPending}
            onClick={() => trust.mutate(offered.fingerprint, { onSuccess: () => test.mutate() })}
          >
            Trust this key and go on
          </Button>
        ) : (
          !works && (
            <Button variant="primary" pending={test.isPending} onClick={() => test.mutate()}>
              {test.data ? 'Test again' : 'Test the connection'}
            </Button>
          )
        )}
      </DialogFooter>
    </>
  )
}
