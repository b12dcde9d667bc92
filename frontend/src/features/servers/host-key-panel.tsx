import { ShieldAlert, ShieldCheck, ShieldQuestion } from 'lucide-react'
import { can } from '@/api/rights'
import { useTrustHostKey } from '@/api/servers'
import { useUser } from '@/api/session'
import type { Server } from '@/api/types'
import { Age } from '@/components/age'
import { Confirm } from '@/components/confirm'
import { Panel } from '@/components/page'
import { Button } from '@/components/ui/button'
import { Fingerprint, keyState } from './fingerprints'

/** The pinned host key, and what the machine offers when that is another. */
export function HostKeyPanel({ server }: { server: Server }) {
  const mayTrust = can(useUser(), 'servers:manage')
  const state = keyState(server)
  const { hostKey, offeredHostKey } = server
  return (
    <Panel
      title="Host key"
      aside={<State state={state} />}
      className={state === 'changed' ? 'border-bad/50' : undefined}
    >
      <div className="grid gap-3 p-4">
        {state === 'changed' && (
          <p>
            <strong className="font-medium">This machine shows another key than the one that was trusted.</strong>{' '}
            <span className="text-ink-2">
              It was set up anew, or something is between you and it. Nothing runs, and no credential is sent, until the
              new key is trusted.
            </span>
          </p>
        )}
        {state === 'none' && <p className="text-ink-2">Not known yet. Test the connection to see it.</p>}
        {state === 'unknown' && (
          <p className="text-ink-2">Compare it with the machine’s own, then trust it. Until then nothing runs here.</p>
        )}
        <div className={state === 'changed' ? 'grid gap-3 sm:grid-cols-2' : 'grid gap-3'}>
          {hostKey && <Fingerprint label="Trusted" hostKey={hostKey} />}
          {offeredHostKey && state !== 'trusted' && (
            <Fingerprint label="Offered now" hostKey={offeredHostKey} tone={state === 'changed' ? 'bad' : undefined} />
          )}
        </div>
        {hostKey && state === 'trusted' && (
          <p className="text-ink-3 text-xs">
            Trusted <Age at={hostKey.trustedAt} />.
          </p>
        )}
        {offeredHostKey && state !== 'trusted' && mayTrust && (
          <Trust server={server} offered={offeredHostKey} changed={state === 'changed'} />
        )}
      </div>
    </Panel>
  )
}

function State({ state }: { state: ReturnType<typeof keyState> }) {
  if (state === 'trusted')
    return (
      <span className="inline-flex items-center gap-1.5">
        <ShieldCheck className="size-3.5 text-good" aria-hidden />
        Trusted
      </span>
    )
  if (state === 'changed')
    return (
      <span className="inline-flex items-center gap-1.5 font-medium text-bad">
        <ShieldAlert className="size-3.5" aria-hidden />
        Changed
      </span>
    )
  return (
    <span className="inline-flex items-center gap-1.5">
      <ShieldQuestion className="size-3.5 text-ink-3" aria-hidden />
      Not trusted yet
    </span>
  )
}

type TrustProps = { server: Server; offered: { algorithm: string; fingerprint: string }; changed: boolean }

function Trust({ server, offered, changed }: TrustProps) {
  const trust = useTrustHostKey(server.id)
  return (
    <div>
      <Confirm
        trigger={
          <Button variant={changed ? 'danger' : 'primary'}>{changed ? 'Trust the new key…' : 'Trust this key…'}</Button>
        }
        title={changed ? `Trust the new key of ${server.name}?` : `Trust the key of ${server.name}?`}
        action={changed ? 'Trust the new key' : 'Trust this key'}
        danger={changed}
        onConfirm={() => trust.mutateAsync(offered.fingerprint)}
      >
        <p>On the machine itself, this prints the fingerprint to compare:</p>
        <code className="break-all rounded-md bg-sunken px-2.5 py-1.5 font-mono text-xs">
          ssh-keygen -lf /etc/ssh/ssh_host_{keyFile(offered.algorithm)}_key.pub
        </code>
        <Fingerprint label="Offered now" hostKey={offered} />
        <p>This is kept in the audit log with your name.</p>
      </Confirm>
    </div>
  )
}

/** The middle of sshd's usual file name for keys of this kind. */
function keyFile(algorithm: string): string {
  if (algorithm.includes('rsa')) return 'rsa'
  return algorithm.startsWith('ecdsa') ? 'ecdsa' : 'ed25519'
}
