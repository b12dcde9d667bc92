import type { Action, Operation } from '@/api/types'

export const ACTION_NAMES: Record<Action, string> = { start: 'Start', stop: 'Stop', restart: 'Restart', pull: 'Pull' }

/** Who or what asked for it. */
export function requester(operation: Operation): string {
  if (operation.trigger === 'autoStop') return 'auto-stop'
  if (operation.trigger === 'schedule') return 'schedule'
  const name = operation.requestedByName ?? 'someone'
  return operation.trigger === 'token' ? `${name} (token)` : name
}
