import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { client, unwrap } from './client'
import { keys } from './keys'
import type { UserInput, UserUpdate } from './types'

export const usersQuery = queryOptions({
  queryKey: keys.users,
  queryFn: ({ signal }) => unwrap(client.GET('/api/users', { signal })),
})

export function useAddUser() {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: (body: UserInput) => unwrap(client.POST('/api/users', { body })),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: keys.users }),
  })
}

/** What is left out stays as it is. */
export function useEditUser(id: string) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: (body: UserUpdate) => unwrap(client.PUT('/api/users/{id}', { params: { path: { id } }, body })),
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
