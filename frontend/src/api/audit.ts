import { infiniteQueryOptions } from '@tanstack/react-query'
import { client, unwrap } from './client'
import { keys } from './keys'

export type AuditFilter = {
  userId?: string
  action?: string
  resourceType?: string
  resourceId?: string
  from?: number
  to?: number
}

export const auditQuery = (filter: AuditFilter) =>
  infiniteQueryOptions({
    queryKey: keys.audit(filter),
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      unwrap(client.GET('/api/audit-logs', { params: { query: { ...filter, cursor: pageParam } }, signal })),
    getNextPageParam: (page) => page.nextCursor ?? undefined,
  })
