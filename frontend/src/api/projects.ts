import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { client, unwrap } from './client'
import { keys } from './keys'
import type { MemberRole, ProjectInput } from './types'

export const projectsQuery = queryOptions({
  queryKey: keys.projects,
  queryFn: ({ signal }) => unwrap(client.GET('/api/projects', { signal })),
})

export const projectQuery = (id: string) =>
  queryOptions({
    queryKey: keys.project(id),
    queryFn: ({ signal }) => unwrap(client.GET('/api/projects/{id}', { params: { path: { id } }, signal })),
  })

export const membersQuery = (id: string) =>
  queryOptions({
    queryKey: keys.members(id),
    queryFn: ({ signal }) => unwrap(client.GET('/api/projects/{id}/members', { params: { path: { id } }, signal })),
  })

/** Creates a project, or changes the one with this id. */
export function useSaveProject(id?: string) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: (body: ProjectInput) =>
      id
        ? unwrap(client.PUT('/api/projects/{id}', { params: { path: { id } }, body }))
        : unwrap(client.POST('/api/projects', { body })),
    onSuccess: (project) => {
      queryClient.setQueryData(keys.project(project.id), project)
      void queryClient.invalidateQueries({ queryKey: keys.projects })
    },
  })
}

export function useDeleteProject(id: string) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: () => unwrap(client.DELETE('/api/projects/{id}', { params: { path: { id } } })),
    onSuccess: () => void queryClient.invalidateQueries({ queryKey: keys.projects, exact: true }),
  })
}

export function useSetMember(projectId: string) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: ({ userId, role }: { userId: string; role: MemberRole }) =>
      unwrap(
        client.PUT('/api/projects/{id}/members/{userId}', {
          params: { path: { id: projectId, userId } },
          body: { role },
        }),
      ),
    onSettled: () => queryClient.invalidateQueries({ queryKey: keys.members(projectId) }),
  })
}

export function useRemoveMember(projectId: string) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: (userId: string) =>
      unwrap(client.DELETE('/api/projects/{id}/members/{userId}', { params: { path: { id: projectId, userId } } })),
    onSettled: () => queryClient.invalidateQueries({ queryKey: keys.members(projectId) }),
  })
}
