import { type QueryClient, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { client, unwrap } from './client'
import { keys } from './keys'
import { isOver, keepOperation } from './operations'
import { noteOwnOperation } from './own-operations'
import type { Action, App, AppInput, AppState, Operation } from './types'

export const appsQuery = queryOptions({
  queryKey: keys.apps,
  queryFn: ({ signal }) => unwrap(client.GET('/api/apps', { signal })),
})

export const appQuery = (id: string) =>
  queryOptions({
    queryKey: keys.app(id),
    queryFn: ({ signal }) => unwrap(client.GET('/api/apps/{id}', { params: { path: { id } }, signal })),
  })

export const servicesQuery = (appId: string) =>
  queryOptions({
    queryKey: keys.services(appId),
    queryFn: ({ signal }) => unwrap(client.GET('/api/apps/{id}/services', { params: { path: { id: appId } }, signal })),
  })

/** Creates an app, or changes the one with this id. */
export function useSaveApp(id?: string) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: (body: AppInput) =>
      id
        ? unwrap(client.PUT('/api/apps/{id}', { params: { path: { id } }, body }))
        : unwrap(client.POST('/api/apps', { body })),
    onSuccess: (app) => {
      queryClient.setQueryData(keys.app(app.id), app)
      for (const queryKey of [keys.apps, keys.projects, keys.servers]) void queryClient.invalidateQueries({ queryKey })
    },
  })
}

export function useDeleteApp(id: string) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: () => unwrap(client.DELETE('/api/apps/{id}', { params: { path: { id } } })),
    onSuccess: () => {
      for (const queryKey of [keys.apps, keys.projects, keys.servers])
        void queryClient.invalidateQueries({ queryKey, exact: true })
    },
  })
}

/** Changes one app wherever it is cached. */
export function patchApp(queryClient: QueryClient, id: string, change: Partial<App>): void {
  queryClient.setQueryData<App>(keys.app(id), (app) => app && { ...app, ...change })
  queryClient.setQueryData<App[]>(keys.apps, (apps) =>
    apps?.map((app) => (app.id === id ? { ...app, ...change } : app)),
  )
}

/** Asks again for what events cannot tell of these apps: one by itself, several by the list. */
export async function refreshApps(queryClient: QueryClient, ids: string[]): Promise<void> {
  const [id, ...others] = ids
  for (const each of ids) void queryClient.invalidateQueries({ queryKey: keys.services(each) })
  if (id === undefined || others.length > 0) {
    for (const each of ids) void queryClient.invalidateQueries({ queryKey: keys.app(each), exact: true })
    return queryClient.invalidateQueries({ queryKey: keys.apps, exact: true })
  }
  try {
    patchApp(queryClient, id, await queryClient.fetchQuery({ ...appQuery(id), staleTime: 0 }))
  } catch {
    // Gone, out of sight, or no answer: the list says which.
    return queryClient.invalidateQueries({ queryKey: keys.apps, exact: true })
  }
}

/** What counts as running: also when not all of it does. */
export const isRunning = ({ status }: Pick<App, 'status'>) => status === 'running' || status === 'degraded'

const GOING: Record<Action, AppState | null> = { start: 'starting', stop: 'stopping', restart: 'starting', pull: null }

type Asked = { action: Action; timeoutMinutes?: number }

/** Asks for an action and returns its operation at once; the rest is told by live events. */
export function useAppAction(id: string) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationKey: ['app-action', id],
    mutationFn: ({ action, timeoutMinutes }: Asked): Promise<Operation> => {
      const params = { path: { id }, header: { Prefer: 'respond-async' } }
      if (action === 'start') {
        const body = timeoutMinutes === undefined ? {} : { timeout: timeoutMinutes }
        return unwrap(client.POST('/api/apps/{id}/start', { params, body })) as Promise<Operation>
      }
      return unwrap(client.POST(`/api/apps/{id}/${action}`, { params })) as Promise<Operation>
    },
    onSuccess: (operation, { action }) => {
      noteOwnOperation(operation.id)
      keepOperation(queryClient, operation)
      const status = GOING[action]
      if (status && !isOver(operation)) patchApp(queryClient, id, { status })
    },
    onError: () => void queryClient.invalidateQueries({ queryKey: keys.app(id) }),
  })
}

export function useExtend(id: string) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: (minutes: number) =>
      unwrap(client.POST('/api/apps/{id}/extend', { params: { path: { id } }, body: { minutes } })),
    onSuccess: (answer) => patchApp(queryClient, id, { stopAt: answer.stopAt }),
    onError: () => void queryClient.invalidateQueries({ queryKey: keys.app(id), exact: true }),
  })
}
