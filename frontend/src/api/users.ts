import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { client, unwrap } from './client'
import { keys } from './keys'
import type { UserInput } from './types'

export const usersQuery = queryOptions({
  queryKey: keys.users,
  queryFn: ({ signal }) => unwrap(client.GET('/api/users', { signal })),
})

/** Creates a user, or changes the one with this id. */
export function useSaveUser(id?: string) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: (body: UserInput) =>
      id
        ? unwrap(client.PUT('/api/users/{id}', { params: { path: { id } }, body }))
        : unwrap(client.POST('/api/users', { body })),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: keys.users }),
  })
}

export function useDeleteUser(id: string) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: () => unwrap(client.DELETE('/api/users/{id}', { params: { path: { id } } })),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: keys.users }),
  })
}
