import type { QueryClient } from '@tanstack/react-query'
import { createRouter, type ErrorComponentProps, useRouter } from '@tanstack/react-router'
import { ErrorState } from './components/error-state'
import { basePath } from './lib/base'
import { routeTree } from './routes/tree'

/** A page that could not even begin: asked for again from the start. */
function RouteError({ error, reset }: ErrorComponentProps) {
  const router = useRouter()
  const retry = () => {
    reset()
    void router.invalidate()
  }
  return <ErrorState error={error} onRetry={retry} className="min-h-dvh content-center" />
}

export function makeRouter(queryClient: QueryClient) {
  return createRouter({
    routeTree,
    basepath: basePath || '/',
    context: { queryClient },
    defaultPreload: 'intent',
    defaultPreloadStaleTime: 0,
    scrollRestoration: true,
    defaultErrorComponent: RouteError,
  })
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>
  }
}
