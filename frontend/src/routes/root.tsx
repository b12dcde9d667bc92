import type { QueryClient } from '@tanstack/react-query'
import { createRootRouteWithContext, Link, Outlet } from '@tanstack/react-router'
import { SearchX } from 'lucide-react'
import { EmptyState } from '@/components/empty-state'
import { Button } from '@/components/ui/button'
import { Toaster } from '@/components/ui/toast'

export const rootRoute = createRootRouteWithContext<{ queryClient: QueryClient }>()({
  component: () => (
    <>
      <Outlet />
      <Toaster />
    </>
  ),
  notFoundComponent: () => (
    <EmptyState
      icon={SearchX}
      title="There is no such page"
      action={
        <Button asChild>
          <Link to="/">Go to the overview</Link>
        </Button>
      }
    >
      The address may be old, or mistyped.
    </EmptyState>
  ),
})
