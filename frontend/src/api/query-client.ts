import { QueryClient } from '@tanstack/react-query'
import { asProblem } from './problem'

const RETRIES = 2

/** Only what may pass by itself is asked again: no answer, or the server's own trouble. */
export function shouldRetry(failures: number, thrown: unknown): boolean {
  const { status } = asProblem(thrown)
  return failures < RETRIES && (status === 0 || status === 502 || status === 503 || status === 504)
}

export function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: { staleTime: 15_000, retry: shouldRetry, retryDelay: (n) => Math.min(4_000, 400 * 2 ** n) },
      mutations: { retry: false },
    },
  })
}
