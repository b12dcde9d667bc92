import { queryOptions, useMutation, useQueryClient, useSuspenseQuery } from '@tanstack/react-query'
import { client, unwrap } from './client'
import { keys } from './keys'
import { rememberSignedIn, renewSession, wasSignedIn } from './refresh'
import type { CurrentUser } from './types'

async function askStatus(): Promise<CurrentUser | null> {
  const status = await unwrap(client.GET('/api/auth/status'))
  return status.authenticated ? (status.user ?? null) : null
}

/** Who is signed in; null for nobody. An access token that ran out while away is renewed first. */
export const sessionQuery = queryOptions({
  queryKey: keys.session,
  staleTime: Number.POSITIVE_INFINITY,
  queryFn: async () => {
    const sentAt = Date.now()
    const user = await askStatus()
    if (user || !wasSignedIn()) return user
    return (await renewSession(sentAt)) ? askStatus() : null
  },
})

/** The signed-in user. Only for pages behind the sign-in. */
export function useUser(): CurrentUser {
  const { data } = useSuspenseQuery(sessionQuery)
  return data ?? NOBODY
}

/** What a page sees in the instant between the end of a session and the way to the sign-in page. */
const NOBODY: CurrentUser = { id: '', username: '', role: 'user', permissions: [] }

export function useSignIn() {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: (body: { username: string; password: string }) => unwrap(client.POST('/api/auth/login', { body })),
    onSuccess: ({ user }) => {
      rememberSignedIn(true)
      queryClient.clear()
      queryClient.setQueryData(keys.session, user)
    },
  })
}

export function useSignOut() {
  return useMutation({
    mutationFn: () => unwrap(client.POST('/api/auth/logout')),
    onSuccess: () => {
      rememberSignedIn(false)
      // A new page holds nothing of the one who left.
      window.location.assign(document.baseURI)
    },
  })
}

export function useChangePassword() {
  return useMutation({
    mutationFn: (body: { currentPassword: string; newPassword: string }) =>
      unwrap(client.PUT('/api/auth/password', { body })),
  })
}
