import { useSyncExternalStore } from 'react'
import { now, onTick } from '@/lib/clock'
import { formatAge, formatCountDown, formatDuration, formatElapsed, formatMoment } from '@/lib/time'

/** `text` is asked for every second; only a change of it draws, and only this one element. */
function useTicking(text: () => string): string {
  return useSyncExternalStore(onTick, text)
}

const iso = (at: number) => new Date(at).toISOString()

/** `12 s ago`, and the moment itself on hover. */
export function Age({ at, prefix = '' }: { at: number | null | undefined; prefix?: string }) {
  const text = useTicking(() => (at ? prefix + formatAge(now() - at) : ''))
  if (!at) return <span className="text-ink-3">never</span>
  return (
    <time className="nums whitespace-nowrap" dateTime={iso(at)} title={formatMoment(at)}>
      {text}
    </time>
  )
}

/** What is left until `to`. */
export function CountDown({ to, className }: { to: number; className?: string }) {
  const text = useTicking(() => formatCountDown(to - now()))
  return (
    <time className={className ?? 'nums whitespace-nowrap'} dateTime={iso(to)} title={formatMoment(to)} role="timer">
      {text}
    </time>
  )
}

/** How long it took, or has taken so far. */
export function Elapsed({ from, to }: { from: number | null; to: number | null }) {
  const text = useTicking(() => {
    if (from === null) return '–'
    const ms = (to ?? now()) - from
    return to === null ? formatElapsed(ms) : formatDuration(ms)
  })
  return <span className="nums whitespace-nowrap">{text}</span>
}
