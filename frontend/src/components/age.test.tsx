import { act, render, screen } from '@testing-library/react'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Age, CountDown } from './age'

beforeEach(() => void vi.useFakeTimers({ now: 1_700_000_000_000 }))
afterEach(() => void vi.useRealTimers())

function Parent({ onDraw }: { onDraw: () => void }) {
  onDraw()
  return <Age at={Date.now() - 5_000} />
}

const pass = (ms: number) => act(() => vi.advanceTimersByTime(ms))

it('an age grows without its parent being drawn again', () => {
  const drawn = vi.fn()
  render(<Parent onDraw={drawn} />)
  expect(screen.getByText('5 s ago')).toBeInTheDocument()
  pass(3_000)
  expect(screen.getByText('8 s ago')).toBeInTheDocument()
  expect(drawn).toHaveBeenCalledTimes(1)
})

it('a count-down reaches zero and stays', () => {
  render(<CountDown to={Date.now() + 2_000} />)
  expect(screen.getByRole('timer')).toHaveTextContent('0:02')
  pass(5_000)
  expect(screen.getByRole('timer')).toHaveTextContent('0:00')
})
