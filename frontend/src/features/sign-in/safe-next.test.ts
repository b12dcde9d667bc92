import { expect, it } from 'vitest'
import { safeNext } from './safe-next'

it('keeps a page of the dashboard with its filters', () => {
  expect(safeNext('/apps?status=running')).toBe('/apps?status=running')
})

it.each([
  undefined,
  '',
  'https://evil.example',
  '//evil.example',
  '/\\evil.example',
  'javascript:alert(1)',
  '/sign-in?next=/',
])('goes home for %s', (next) => {
  expect(safeNext(next)).toBe('/')
})
