import { expect, it } from 'vitest'
import { can, canMaintain, canOperate } from './rights'
import type { CurrentUser } from './types'

const user = (change: Partial<CurrentUser> = {}): CurrentUser => ({
  id: 'u',
  username: 'u',
  role: 'user',
  permissions: [],
  ...change,
})

it('an administrator may do everything', () => {
  const admin = user({ role: 'admin' })
  expect([can(admin, 'audit:view'), canOperate(admin, undefined), canMaintain(admin, { role: null })]).toEqual([
    true,
    true,
    true,
  ])
})

it('a permission by name is enough, and only that one', () => {
  const named = user({ permissions: ['servers:manage'] })
  expect(can(named, 'servers:manage')).toBe(true)
  expect(can(named, 'audit:view')).toBe(false)
})

it.each([
  ['viewer', false, false],
  ['operator', true, false],
  ['maintainer', true, true],
] as const)('a %s operates: %s, maintains: %s', (role, operates, maintains) => {
  expect(canOperate(user(), { role })).toBe(operates)
  expect(canMaintain(user(), { role })).toBe(maintains)
})

it('who is no member may nothing', () => {
  expect(canOperate(user(), undefined)).toBe(false)
})
