import { useQueryClient } from '@tanstack/react-query'
import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router'
import { Menu as MenuIcon, X } from 'lucide-react'
import { Dialog } from 'radix-ui'
import { useEffect, useState } from 'react'
import { keys } from '@/api/keys'
import type { App, Operation } from '@/api/types'
import { ACTION_NAMES } from '@/components/action-names'
import { Logo } from '@/components/logo'
import { Button } from '@/components/ui/button'
import { toast } from '@/components/ui/toast'
import { LiveProvider } from '@/live/live'
import { ConnectionBanner } from './connection-banner'
import { Nav } from './nav'
import { UserMenu } from './user-menu'

export function Shell() {
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const failed = (operationId: string, state: string) => {
    const operation = queryClient.getQueryData<Operation>(keys.operation(operationId))
    const app = queryClient.getQueryData<App[]>(keys.apps)?.find((each) => each.id === operation?.appId)
    const what = operation ? `${ACTION_NAMES[operation.action]} of ${app?.name ?? 'an app'}` : 'An operation'
    const see = () => void navigate({ to: '/operations/$operationId', params: { operationId } })
    toast.bad(
      state === 'cancelled' ? `${what} was cancelled` : `${what} failed`,
      undefined,
      <Button size="sm" onClick={see}>
        See its output
      </Button>,
    )
  }
  return (
    <LiveProvider onOwnFailure={failed}>
      <button
        type="button"
        onClick={() => document.getElementById('main')?.focus()}
        className="fixed top-2 left-2 z-60 -translate-y-16 rounded-md bg-raised px-3 py-1.5 shadow-pop focus:translate-y-0"
      >
        Skip to content
      </button>
      <div className="min-h-dvh md:grid md:grid-cols-[13.5rem_minmax(0,1fr)]">
        <aside className="sticky top-0 hidden h-dvh flex-col border-line border-r bg-sunken/60 md:flex">
          <Brand />
          <Nav />
          <div className="mt-auto border-line border-t p-2">
            <UserMenu />
          </div>
        </aside>
        <div className="min-w-0">
          <PhoneBar />
          <ConnectionBanner />
          <main id="main" tabIndex={-1} className="outline-none">
            <Outlet />
          </main>
        </div>
      </div>
    </LiveProvider>
  )
}

function Brand() {
  return (
    <Link to="/" className="flex h-14 items-center gap-2 px-4 font-semibold text-base tracking-tight">
      <Logo className="size-5 text-accent" />
      Quaymaster
    </Link>
  )
}

function PhoneBar() {
  const [open, setOpen] = useState(false)
  const path = useRouterState({ select: (state) => state.location.pathname })
  // biome-ignore lint/correctness/useExhaustiveDependencies: arriving at another page is what closes it
  useEffect(() => setOpen(false), [path])
  return (
    <div className="sticky top-0 z-30 flex h-12 items-center border-line border-b bg-canvas/95 pr-2 backdrop-blur md:hidden">
      <Brand />
      <Dialog.Root open={open} onOpenChange={setOpen}>
        <Dialog.Trigger asChild>
          <Button variant="ghost" size="icon" className="ml-auto" aria-label="Menu">
            <MenuIcon className="size-4.5!" />
          </Button>
        </Dialog.Trigger>
        <Dialog.Portal>
          <Dialog.Overlay className="fixed inset-0 z-40 bg-black/45" />
          <Dialog.Content
            aria-describedby={undefined}
            className="fixed inset-y-0 right-0 z-50 flex w-64 animate-pop flex-col bg-raised shadow-pop outline-none"
          >
            <div className="flex h-12 items-center justify-between pr-2 pl-4">
              <Dialog.Title className="label-caps">Menu</Dialog.Title>
              <Dialog.Close asChild>
                <Button variant="ghost" size="icon" aria-label="Close">
                  <X />
                </Button>
              </Dialog.Close>
            </div>
            <Nav />
            <div className="mt-auto border-line border-t p-2">
              <UserMenu />
            </div>
          </Dialog.Content>
        </Dialog.Portal>
      </Dialog.Root>
    </div>
  )
}
