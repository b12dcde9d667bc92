/**
 * Renewing the session. Refresh tokens rotate, and one that is used twice ends the whole session, so at most one
 * refresh may be under way in all tabs of this browser: a lock shared by them, and a note of when it was last done.
 */
import { baseUrl } from '@/lib/base'

const HINT = 'quaymaster.signed-in'
const RENEWED_AT = 'quaymaster.renewed-at'

/** The cookies are out of script's reach; this only says whether asking for a renewal makes sense. */
export function rememberSignedIn(yes: boolean): void {
  if (yes) localStorage.setItem(HINT, '1')
  else localStorage.removeItem(HINT)
}

export function wasSignedIn(): boolean {
  return localStorage.getItem(HINT) === '1'
}

let underWay: Promise<boolean> | null = null

/** Renews the session that had expired at `failedAt`. False: there is none to renew, sign in again. */
export function renewSession(failedAt: number, fetcher: typeof fetch = fetch): Promise<boolean> {
  underWay ??= withLock(() => renew(failedAt, fetcher)).finally(() => {
    underWay = null
  })
  return underWay
}

async function renew(failedAt: number, fetcher: typeof fetch): Promise<boolean> {
  if (!wasSignedIn()) return false
  if (Number(localStorage.getItem(RENEWED_AT) ?? 0) > failedAt) return true
  const answer = await fetcher(`${baseUrl}/api/auth/refresh`, { method: 'POST', credentials: 'same-origin' })
  if (answer.ok) localStorage.setItem(RENEWED_AT, String(Date.now()))
  else if (answer.status === 401) rememberSignedIn(false)
  return answer.ok
}

async function withLock(work: () => Promise<boolean>): Promise<boolean> {
  // Web locks exist in secure contexts only; over plain HTTP to another machine the lock is per tab.
  if (!('locks' in navigator) || !navigator.locks) return work()
  return navigator.locks.request('quaymaster.refresh', work)
}
