import { render, screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, it, vi } from 'vitest'
import { ApiProblem } from '@/api/problem'
import { ErrorState } from './error-state'

it('shows the code and the request id, and asks again', async () => {
  const retry = vi.fn()
  render(
    <ErrorState error={new ApiProblem(500, { detail: 'No.', code: 'internal', requestId: 'r-1' })} onRetry={retry} />,
  )
  expect(screen.getByRole('alert')).toHaveTextContent('internal · request r-1')
  await userEvent.click(screen.getByRole('button', { name: 'Try again' }))
  expect(retry).toHaveBeenCalledOnce()
})

it('does not offer another try for what is forbidden', () => {
  render(<ErrorState error={new ApiProblem(403, { code: 'permission.denied' })} onRetry={() => {}} />)
  expect(screen.getByText('You may not see this')).toBeInTheDocument()
  expect(screen.queryByRole('button')).not.toBeInTheDocument()
})
