import { render, screen, within } from '@testing-library/react'
import { expect, it } from 'vitest'
import type { TestReport, TestStep } from '@/api/types'
import { TestSteps } from './test-steps'

const step = (change: Partial<TestStep>): TestStep => ({
  step: 'tcp',
  ok: false,
  skipped: false,
  reason: null,
  detail: null,
  mend: null,
  durationMs: null,
  ...change,
})

it('says which step failed, why, how to mend it, and what was not tried', () => {
  const report: TestReport = {
    ok: false,
    offeredHostKey: null,
    steps: [
      step({ step: 'tcp', ok: true, durationMs: 3 }),
      step({ step: 'hostKey', ok: true, durationMs: 9 }),
      step({ step: 'auth', reason: 'auth_failed', detail: 'Permission denied (publickey).', durationMs: 14 }),
      step({ step: 'docker', skipped: true }),
      step({ step: 'compose', skipped: true }),
    ],
  }
  render(<TestSteps report={report} />)
  const steps = within(screen.getByRole('list', { name: 'Connection test' })).getAllByRole('listitem')
  expect(steps[0]).toHaveTextContent('3 ms')
  expect(steps[2]).toHaveTextContent('sign-in refused')
  expect(steps[2]).toHaveTextContent('Permission denied (publickey).')
  expect(steps[2]).toHaveTextContent('authorized_keys')
  expect(steps[3]).toHaveTextContent('not tried')
})
