import { CircleAlert, CircleCheck, X } from 'lucide-react'
import { type ReactNode, useSyncExternalStore } from 'react'
import { asProblem } from '@/api/problem'
import { Button } from './button'

type Toast = {
  id: number
  tone: 'good' | 'bad'
  title: string
  detail?: string
  requestId?: string | null
  action?: ReactNode
}

const GOOD_MS = 4_000
const MAX_TOASTS = 4

let toasts: Toast[] = []
let nextId = 1
const listeners = new Set<() => void>()

function publish(next: Toast[]): void {
  toasts = next
  for (const listener of listeners) listener()
}

function dismiss(id: number): void {
  publish(toasts.filter((toast) => toast.id !== id))
}

function add(toast: Omit<Toast, 'id'>): void {
  const id = nextId++
  publish([...toasts, { ...toast, id }].slice(-MAX_TOASTS))
  // A failure stays until it is read; good news goes by itself.
  if (toast.tone === 'good') setTimeout(() => dismiss(id), GOOD_MS)
}

export const toast = {
  good: (title: string, detail?: string) => add({ tone: 'good', title, detail }),
  bad: (title: string, detail?: string, action?: ReactNode) => add({ tone: 'bad', title, detail, action }),
  /** A failed call, with the id under which the server logged it. */
  problem: (title: string, thrown: unknown) => {
    const problem = asProblem(thrown)
    add({ tone: 'bad', title, detail: problem.message, requestId: problem.requestId })
  },
}

export function Toaster() {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => toasts,
  )
  return (
    <section
      aria-label="Notifications"
      aria-live="polite"
      className="pointer-events-none fixed right-4 bottom-4 left-4 z-60 grid justify-items-end gap-2"
    >
      {shown.map((each) => (
        <div
          key={each.id}
          role={each.tone === 'bad' ? 'alert' : undefined}
          className="pointer-events-auto flex w-full max-w-96 animate-pop items-start gap-2.5 rounded-lg bg-raised p-3 shadow-pop"
        >
          {each.tone === 'bad' ? (
            <CircleAlert className="mt-0.5 size-4 shrink-0 text-bad" aria-hidden />
          ) : (
            <CircleCheck className="mt-0.5 size-4 shrink-0 text-good" aria-hidden />
          )}
          <div className="min-w-0 flex-1">
            <p className="font-medium">{each.title}</p>
            {each.detail && <p className="break-words text-ink-2">{each.detail}</p>}
            {each.requestId && <p className="mt-1 truncate font-mono text-ink-3 text-xs">request {each.requestId}</p>}
            {each.action && <div className="mt-2">{each.action}</div>}
          </div>
          <Button
            variant="ghost"
            size="icon"
            className="-mt-1 -mr-1"
            aria-label="Dismiss"
            onClick={() => dismiss(each.id)}
          >
            <X />
          </Button>
        </div>
      ))}
    </section>
  )
}
