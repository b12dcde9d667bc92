import { QueryClient } from '@tanstack/react-query'
import { asProblem } from './problem'

const RETRIES = 2
const LONGEST_WAIT_MS = 15_000

/** Only what may pass by itself is asked again: no answer, or the server's own trouble, or too many at once. */
export function shouldRetry(failures: number, thrown: unknown): boolean {
  const { status } = asProblem(thrown)
  return failures < RETRIES && (status === 0 || status === 429 || status === 502 || status === 503 || status === 504)
}

/** When to ask again: as the server says, within reason, or a little later each time. */
export function retryDelay(failures: number, thrown: unknown): number {
  const wanted = asProblem(thrown).retryAfterMs
  return wanted === null ? Math.min(4_000, 400 * 2 ** failures) : Math.min(LONGEST_WAIT_MS, wanted)
}

export function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: { staleTime: 15_000, retry: shouldRetry, retryDelay },
      mutations: { retry: false },
    },
  })
}
