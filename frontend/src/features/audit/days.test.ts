import { expect, it } from 'vitest'
import { dayEnd, dayStart } from './days'

it('a day is whole, in the zone of the reader', () => {
  const start = dayStart('2026-03-01') ?? 0
  expect(new Date(start).getDate()).toBe(1)
  expect(new Date(start).getHours()).toBe(0)
  expect((dayEnd('2026-03-01') ?? 0) - start).toBe(86_399_999)
})

it('what is no day is no filter', () => {
  expect(dayStart('yesterday')).toBeUndefined()
  expect(dayStart('2026-99-99')).toBeUndefined()
  expect(dayEnd(undefined)).toBeUndefined()
})
