import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { client, unwrap } from './client'
import { keys } from './keys'
import type { OperationState } from './types'

export type OperationFilter = { appId?: string; serverId?: string; state?: OperationState }

const PAGE = 50

export const operationsQuery = (filter: OperationFilter, limit = PAGE) =>
  infiniteQueryOptions({
    queryKey: keys.operationList({ ...filter, limit }),
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      unwrap(client.GET('/api/operations', { params: { query: { ...filter, limit, cursor: pageParam } }, signal })),
    getNextPageParam: (page) => page.nextCursor ?? undefined,
  })

export const operationQuery = (id: string) =>
  queryOptions({
    queryKey: keys.operation(id),
    queryFn: ({ signal }) => unwrap(client.GET('/api/operations/{id}', { params: { path: { id } }, signal })),
  })

export function useCancelOperation(id: string) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: () => unwrap(client.POST('/api/operations/{id}/cancel', { params: { path: { id } } })),
    onSettled: () => queryClient.invalidateQueries({ queryKey: keys.operations }),
  })
}
