import { noteServerDate } from '@/lib/clock'
import { renewSession } from './refresh'

type Listener = () => void
let signedOut: Listener = () => {}

/** Called once the session is over and cannot be renewed. */
export function onSignedOut(listener: Listener): void {
  signedOut = listener
}

const isAuthCall = (url: string) => /\/api\/auth\/(login|logout|refresh|status)$/.test(new URL(url).pathname)

/**
 * `fetch` with the session kept alive: a 401 renews it and asks once more. Used by the client and by every stream.
 */
export async function transport(request: Request, fetcher: typeof fetch = fetch): Promise<Response> {
  const sentAt = Date.now()
  const again = request.clone()
  const answer = await fetcher(request)
  noteServerDate(answer.headers.get('date'))
  if (answer.status !== 401 || isAuthCall(request.url)) return answer
  if (await isWrongPassword(answer)) return answer
  if (!(await renewSession(sentAt, fetcher))) {
    signedOut()
    return answer
  }
  return fetcher(again)
}

/** `PUT /api/auth/password` says 401 too when the current password is wrong; the session is fine then. */
async function isWrongPassword(answer: Response): Promise<boolean> {
  const body: unknown = await answer
    .clone()
    .json()
    .catch(() => null)
  return typeof body === 'object' && body !== null && 'code' in body && body.code === 'auth.invalid_credentials'
}
