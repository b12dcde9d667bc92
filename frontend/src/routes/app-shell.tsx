import { createRoute, redirect } from '@tanstack/react-router'
import { sessionQuery } from '@/api/session'
import { Shell } from '@/features/shell/shell'
import { rootRoute } from './root'

/** Everything behind the sign-in. */
export const appShellRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: '_in',
  beforeLoad: async ({ context, location }) => {
    const user = await context.queryClient.ensureQueryData(sessionQuery)
    const next = location.pathname === '/' ? undefined : `${location.pathname}${location.searchStr}`
    if (!user) throw redirect({ to: '/sign-in', search: { next } })
  },
  component: Shell,
})
