import type { Action, Operation } from '@/api/types'

export const ACTION_NAMES: Record<Action, string> = { start: 'Start', stop: 'Stop', restart: 'Restart', pull: 'Pull' }

/** Who or what asked for it. */
export function requester(operation: Operation): string {
  if (operation.trigger === 'autoStop') return 'auto-stop'
  if (operation.trigger === 'schedule') return 'schedule'
  const name = operation.requestedByName ?? 'someone'
  return operation.trigger === 'token' ? `${name} (token)` : name
}

/** Why it did not succeed, in a word or two; null when there is nothing to add to its state. */
export function outcome(operation: Operation): string | null {
  if (operation.state !== 'failed') return null
  return operation.exitCode === null ? (operation.error?.detail ?? null) : `exit ${operation.exitCode}`
}
