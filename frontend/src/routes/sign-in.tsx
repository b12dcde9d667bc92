import { createRoute, lazyRouteComponent, redirect } from '@tanstack/react-router'
import { sessionQuery } from '@/api/session'
import { rootRoute } from './root'
import { text } from './search'

export const signInRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/sign-in',
  validateSearch: (search: Record<string, unknown>): { next?: string } => ({ next: text(search.next) }),
  beforeLoad: async ({ context }) => {
    const user = await context.queryClient.ensureQueryData(sessionQuery).catch(() => null)
    if (user) throw redirect({ to: '/' })
  },
  component: lazyRouteComponent(() => import('@/features/sign-in/sign-in-page'), 'SignInPage'),
})
