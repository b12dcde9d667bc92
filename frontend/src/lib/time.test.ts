import { describe, expect, it } from 'vitest'
import { formatAge, formatCountDown, formatDuration, formatMinutes } from './time'

describe('formatAge', () => {
  it('names one unit and rounds down', () => {
    expect(formatAge(400)).toBe('just now')
    expect(formatAge(-5_000)).toBe('just now')
    expect(formatAge(12_999)).toBe('12 s ago')
    expect(formatAge(59_999)).toBe('59 s ago')
    expect(formatAge(61_000)).toBe('1 min ago')
    expect(formatAge(25 * 3_600_000)).toBe('1 d ago')
  })
})

describe('formatDuration', () => {
  it('keeps at most two units and drops an empty second one', () => {
    expect(formatDuration(430)).toBe('430 ms')
    expect(formatDuration(1_430)).toBe('1.4 s')
    expect(formatDuration(185_000)).toBe('3 min 5 s')
    expect(formatDuration(7_200_000)).toBe('2 h')
    expect(formatDuration(100 * 3_600_000)).toBe('4 d 4 h')
  })
})

describe('formatCountDown', () => {
  it('counts to zero and stays there', () => {
    expect(formatCountDown(61_000)).toBe('1:01')
    expect(formatCountDown(1)).toBe('0:01')
    expect(formatCountDown(0)).toBe('0:00')
    expect(formatCountDown(-9_000)).toBe('0:00')
    expect(formatCountDown(3_723_000)).toBe('1:02:03')
  })
  it('is in days when it is far off', () => {
    expect(formatCountDown(76 * 3_600_000)).toBe('3 d 4 h')
  })
})

it('says never for an app that is not stopped by itself', () => {
  expect(formatMinutes(0)).toBe('never')
  expect(formatMinutes(90)).toBe('1 h 30 min')
})
