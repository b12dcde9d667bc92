import type { ReactNode } from 'react'
import { ErrorState } from './error-state'
import { SkeletonRows } from './skeleton'

type Shown<T> = { data: T | undefined; error: unknown; refetch: () => unknown }

type Props<T> = { query: Shown<T>; skeleton?: ReactNode; children: (data: T) => ReactNode }

/**
 * One query's three faces. What was loaded before stays on the page when a later refresh fails; the connection banner
 * says that it is old.
 */
export function Load<T>({ query, skeleton, children }: Props<T>) {
  if (query.data !== undefined) return children(query.data)
  if (query.error) return <ErrorState error={query.error} onRetry={() => void query.refetch()} />
  return skeleton ?? <SkeletonRows />
}
