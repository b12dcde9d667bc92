import { render, screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, it, vi } from 'vitest'
import { ApiProblem } from '@/api/problem'
import { Confirm } from './confirm'
import { Button } from './ui/button'

function show(onConfirm: () => Promise<unknown>) {
  render(
    <Confirm trigger={<Button>Delete</Button>} title="Delete it?" action="Yes, delete" danger onConfirm={onConfirm}>
      It is gone then.
    </Confirm>,
  )
  return userEvent.click(screen.getByRole('button', { name: 'Delete' }))
}

it('closes when the work is done', async () => {
  await show(() => Promise.resolve())
  await userEvent.click(screen.getByRole('button', { name: 'Yes, delete' }))
  await waitFor(() => expect(screen.queryByRole('alertdialog')).not.toBeInTheDocument())
})

it('stays and says why when the server refuses', async () => {
  await show(() =>
    Promise.reject(new ApiProblem(409, { detail: 'It has 3 apps.', code: 'server.has_apps', requestId: 'r-9' })),
  )
  await userEvent.click(screen.getByRole('button', { name: 'Yes, delete' }))
  expect(await screen.findByRole('alert')).toHaveTextContent('It has 3 apps.')
  expect(screen.getByRole('alert')).toHaveTextContent('server.has_apps · request r-9')
})

it('does nothing when it is cancelled by the keyboard', async () => {
  const work = vi.fn()
  await show(work)
  await userEvent.keyboard('{Escape}')
  expect(work).not.toHaveBeenCalled()
  expect(document.documentElement.dataset.scrollLocked).toBeUndefined()
})
