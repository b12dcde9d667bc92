import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { client, unwrap } from './client'
import { keys } from './keys'
import type { Server, ServerInput, ServerUpdate, TestInput } from './types'

export const serversQuery = queryOptions({
  queryKey: keys.servers,
  queryFn: ({ signal }) => unwrap(client.GET('/api/servers', { signal })),
})

export const serverQuery = (id: string) =>
  queryOptions({
    queryKey: keys.server(id),
    queryFn: ({ signal }) => unwrap(client.GET('/api/servers/{id}', { params: { path: { id } }, signal })),
  })

function useKeepServer() {
  const queryClient = useQueryClient()
  return (server: Server) => {
    queryClient.setQueryData(keys.server(server.id), server)
    return queryClient.invalidateQueries({ queryKey: keys.servers })
  }
}

const trustHostKey = (id: string, fingerprint: string) =>
  unwrap(client.POST('/api/servers/{id}/host-key', { params: { path: { id } }, body: { fingerprint } }))

/** Adds a server and, when its key was looked at before, trusts that. */
export function useAddServer() {
  const keep = useKeepServer()
  return useMutation({
    mutationFn: async ({ body, trusted }: { body: ServerInput; trusted: string | null }) => {
      const server = await unwrap(client.POST('/api/servers', { body }))
      if (!trusted) return server
      // It is added by now: a key that cannot be trusted is shown, and asked about again, on the next page.
      return trustHostKey(server.id, trusted).catch(() => server)
    },
    onSuccess: (server) => void keep(server),
  })
}

export function useEditServer(id: string) {
  const keep = useKeepServer()
  return useMutation({
    mutationFn: (body: ServerUpdate) => unwrap(client.PUT('/api/servers/{id}', { params: { path: { id } }, body })),
    onSuccess: (server) => void keep(server),
  })
}

export function useDeleteServer(id: string) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: () => unwrap(client.DELETE('/api/servers/{id}', { params: { path: { id } } })),
    onSuccess: () => void queryClient.invalidateQueries({ queryKey: keys.servers, exact: true }),
  })
}

/** Tries a connection that is not saved. */
export function useTestDraft() {
  return useMutation({ mutationFn: (body: TestInput) => unwrap(client.POST('/api/servers/test', { body })) })
}

export function useTestServer(id: string) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: () => unwrap(client.POST('/api/servers/{id}/test', { params: { path: { id } } })),
    onSettled: () => queryClient.invalidateQueries({ queryKey: keys.servers }),
  })
}

export function useProbe(id: string) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: () => unwrap(client.GET('/api/servers/{id}/status', { params: { path: { id } } })),
    onSettled: () => queryClient.invalidateQueries({ queryKey: keys.servers }),
  })
}

export function useTrustHostKey(id: string) {
  const keep = useKeepServer()
  return useMutation({
    mutationFn: (fingerprint: string) => trustHostKey(id, fingerprint),
    onSuccess: (server) => void keep(server),
  })
}
