/**
 * What to offer. The server decides; this only keeps buttons that it would refuse out of the way.
 */
import type { CurrentUser, MemberRole } from './types'

export type Right = 'servers:manage' | 'projects:create' | 'users:manage' | 'audit:view'

export function can(user: CurrentUser, right: Right): boolean {
  return user.role === 'admin' || user.permissions.includes(right)
}

type Membership = { role?: MemberRole | null } | undefined

/** Start, stop, restart, pull, extend. */
export function canOperate(user: CurrentUser, project: Membership): boolean {
  return user.role === 'admin' || project?.role === 'operator' || project?.role === 'maintainer'
}

/** Add, edit and delete apps, and say who is a member. */
export function canMaintain(user: CurrentUser, project: Membership): boolean {
  return user.role === 'admin' || project?.role === 'maintainer'
}
