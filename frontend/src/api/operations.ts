import {
  type InfiniteData,
  infiniteQueryOptions,
  type QueryClient,
  type QueryKey,
  queryOptions,
  useMutation,
  useQueryClient,
} from '@tanstack/react-query'
import { client, unwrap } from './client'
import { keys } from './keys'
import type { Operation, OperationState } from './types'

export type OperationFilter = { appId?: string; serverId?: string; state?: OperationState }

const PAGE = 50

export function isOver({ state }: Pick<Operation, 'state'>): boolean {
  return state !== 'queued' && state !== 'running'
}

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

type OperationPages = InfiniteData<{ items: Operation[]; nextCursor?: string | null }, string | undefined>

const cachedLists = (queryClient: QueryClient) =>
  queryClient.getQueriesData<OperationPages>({ queryKey: keys.operationLists })

const filterOf = (key: QueryKey) => (key[2] ?? {}) as OperationFilter

/** Changes an operation wherever it is cached, and names the lists that have to be asked for again. */
export function patchOperation(
  queryClient: QueryClient,
  { id, appId }: Pick<Operation, 'id' | 'appId'>,
  change: Partial<Operation> & Pick<Operation, 'state'>,
): QueryKey[] {
  queryClient.setQueryData<Operation>(keys.operation(id), (known) => known && { ...known, ...change })
  const stale: QueryKey[] = []
  for (const [key, data] of cachedLists(queryClient)) {
    const filter = filterOf(key)
    if (filter.appId && filter.appId !== appId) continue
    const known = data?.pages.some((page) => page.items.some((each) => each.id === id))
    if (known)
      queryClient.setQueryData<OperationPages>(
        key,
        inEach((each) => (each.id === id ? { ...each, ...change } : each)),
      )
    // Its end has more to tell than its state, and a state may take it out of a filtered list.
    if (!known || filter.state || isOver(change)) stale.push(key)
  }
  return stale
}

/** Puts an operation that was just asked for on top of the lists that it belongs to. */
export function keepOperation(queryClient: QueryClient, operation: Operation): void {
  queryClient.setQueryData(keys.operation(operation.id), operation)
  for (const [key, data] of cachedLists(queryClient)) {
    const { appId, serverId, state } = filterOf(key)
    const belongs =
      (!appId || appId === operation.appId) &&
      (!serverId || serverId === operation.serverId) &&
      (!state || state === operation.state)
    const [first, ...rest] = data?.pages ?? []
    if (!belongs || !data || !first) continue
    const others = first.items.filter((each) => each.id !== operation.id)
    queryClient.setQueryData<OperationPages>(key, {
      ...data,
      pages: [{ ...first, items: [operation, ...others] }, ...rest],
    })
  }
}

function inEach(change: (operation: Operation) => Operation) {
  return (data: OperationPages | undefined) =>
    data && { ...data, pages: data.pages.map((page) => ({ ...page, items: page.items.map(change) })) }
}
