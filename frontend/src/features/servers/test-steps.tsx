import { CircleCheck, CircleHelp, CircleMinus, CircleX, LoaderCircle } from 'lucide-react'
import type { TestReport, TestStep } from '@/api/types'
import { reasonText } from '@/components/status-badge'
import { formatDuration } from '@/lib/time'
import { mendFor } from './mend'

const NAMES: Record<TestStep['step'], string> = {
  tcp: 'Reach the SSH port',
  hostKey: 'Check the host key',
  auth: 'Sign in',
  docker: 'Talk to Docker',
  compose: 'Find compose',
}
const ORDER = Object.keys(NAMES) as TestStep['step'][]

/** Each step of a connection test, with its reason and the way to mend it. */
export function TestSteps({ report, pending }: { report?: TestReport; pending?: boolean }) {
  if (pending || !report)
    return (
      <ol className="grid gap-2" aria-busy>
        {ORDER.map((step) => (
          <li key={step} className="flex items-center gap-2.5 text-ink-3">
            <LoaderCircle className="size-4 animate-spin" aria-hidden />
            {NAMES[step]}
          </li>
        ))}
      </ol>
    )
  return (
    <ol className="grid gap-2" aria-label="Connection test">
      {report.steps.map((step) => (
        <Step key={step.step} step={step} />
      ))}
    </ol>
  )
}

function Step({ step }: { step: TestStep }) {
  const { icon: Icon, tone } = faceOf(step)
  const mend = step.ok || step.skipped ? null : (step.mend ?? mendFor(step.reason))
  return (
    <li className="flex items-start gap-2.5">
      <Icon className={`mt-0.5 size-4 shrink-0 ${tone}`} aria-hidden />
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap gap-x-2">
          <span className={step.skipped ? 'text-ink-3' : undefined}>{NAMES[step.step]}</span>
          <span className="text-ink-3">{summary(step)}</span>
        </p>
        {!step.ok && !step.skipped && step.detail && <p className="break-words text-ink-2 text-xs">{step.detail}</p>}
        {mend && <p className="mt-0.5 text-ink-2">{mend}</p>}
      </div>
    </li>
  )
}

/** A key that nobody has trusted yet is a question, not a failure. */
function faceOf(step: TestStep) {
  if (step.skipped) return { icon: CircleMinus, tone: 'text-ink-3' }
  if (step.ok) return { icon: CircleCheck, tone: 'text-good' }
  return step.reason === 'host_key_unknown'
    ? { icon: CircleHelp, tone: 'text-warn' }
    : { icon: CircleX, tone: 'text-bad' }
}

function summary(step: TestStep): string {
  if (step.skipped) return 'not tried'
  if (!step.ok) return step.reason ? reasonText(step.reason) : 'failed'
  const took = step.durationMs == null ? '' : formatDuration(step.durationMs)
  return [step.detail, took].filter(Boolean).join(' · ')
}
