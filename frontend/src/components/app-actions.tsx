import { useIsMutating, useQueryClient } from '@tanstack/react-query'
import { Play, Square } from 'lucide-react'
import { isRunning, useAppAction, useExtend } from '@/api/apps'
import { keys } from '@/api/keys'
import { type ApiProblem, asProblem } from '@/api/problem'
import type { Action, App } from '@/api/types'
import { ACTION_NAMES } from './action-names'
import { Button } from './ui/button'
import { toast } from './ui/toast'

/** Runs actions on one app and tells of those that were refused. */
export function useActions(app: Pick<App, 'id' | 'name'>) {
  const queryClient = useQueryClient()
  const { mutate } = useAppAction(app.id)
  const busy = useIsMutating({ mutationKey: ['app-action', app.id] }) > 0
  const run = (action: Action, timeoutMinutes?: number) =>
    mutate(
      { action, timeoutMinutes },
      {
        onError: (thrown) => {
          const problem = asProblem(thrown)
          // The role may have changed since the page was drawn.
          if (problem.status === 403) void queryClient.invalidateQueries({ queryKey: keys.projects })
          toast.problem(refusal(problem, `${ACTION_NAMES[action]} of ${app.name}`, app.name), thrown)
        },
      },
    )
  return { run, busy }
}

function refusal({ code, status }: ApiProblem, what: string, name: string): string {
  if (code === 'app.busy') return `${name} is busy`
  return status === 0 ? `${what} did not get through` : `${what} was refused`
}

export const isGoing = (app: App) => app.status === 'starting' || app.status === 'stopping'
/** Some of it runs: there is something to stop. A start that failed as a whole left nothing. */
export const isUp = (app: App) => isRunning(app) || (app.status === 'error' && app.services.running > 0)

/** The one thing that one wants of an app in a list: start it, or stop it. */
export function StartStop({ app, size = 'sm' }: { app: App; size?: 'sm' | 'md' }) {
  const { run, busy } = useActions(app)
  if (isUp(app) || app.status === 'stopping')
    return (
      <Button size={size} pending={busy || isGoing(app)} onClick={() => run('stop')} aria-label={`Stop ${app.name}`}>
        <Square />
        Stop
      </Button>
    )
  return (
    <Button
      size={size}
      variant={size === 'md' ? 'primary' : 'secondary'}
      pending={busy || isGoing(app)}
      onClick={() => run('start')}
      aria-label={`Start ${app.name}`}
    >
      <Play />
      Start
    </Button>
  )
}

const EXTEND_MINUTES = 30

export function Extend({ app, size = 'sm' }: { app: App; size?: 'sm' | 'md' }) {
  const extend = useExtend(app.id)
  return (
    <Button
      size={size}
      variant={size === 'sm' ? 'ghost' : 'secondary'}
      pending={extend.isPending}
      aria-label={`+${EXTEND_MINUTES} min for ${app.name}`}
      onClick={() =>
        extend.mutate(EXTEND_MINUTES, { onError: (thrown) => toast.problem(`${app.name} was not extended`, thrown) })
      }
    >
      +{EXTEND_MINUTES} min
    </Button>
  )
}
