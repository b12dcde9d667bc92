import type { Server } from '@/api/types'
import { Copy } from '@/components/copy'
import { cn } from '@/lib/cn'

type Key = { algorithm: string; fingerprint: string }

export function Fingerprint({ label, hostKey, tone }: { label: string; hostKey: Key; tone?: 'bad' }) {
  return (
    <div
      className={cn(
        'w-full min-w-0 rounded-md border px-3 py-2',
        tone === 'bad' ? 'border-bad/40 bg-bad-wash' : 'border-line bg-sunken',
      )}
    >
      <p className="label-caps">
        {label} · {hostKey.algorithm}
      </p>
      <div className="flex items-start gap-1">
        <code className="min-w-0 flex-1 break-all py-1 font-mono text-xs leading-5">{hostKey.fingerprint}</code>
        <Copy text={hostKey.fingerprint} label={`Copy the ${label.toLowerCase()} fingerprint`} />
      </div>
    </div>
  )
}

export type KeyState = 'trusted' | 'changed' | 'unknown' | 'none'

/** Where the host key stands. `none`: the machine has not been reached yet. */
export function keyState(server: Pick<Server, 'hostKey' | 'offeredHostKey'>): KeyState {
  const { hostKey, offeredHostKey } = server
  if (!hostKey) return offeredHostKey ? 'unknown' : 'none'
  return offeredHostKey && offeredHostKey.fingerprint !== hostKey.fingerprint ? 'changed' : 'trusted'
}
