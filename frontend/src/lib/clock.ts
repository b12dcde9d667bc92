/**
 * The time as the server tells it. A browser's clock may be minutes off, and a count-down to `stopAt` or an age would
 * lie by as much; answers carry `Date`, whose second of resolution is enough.
 */
let skewMs = 0

const TOLERANCE_MS = 2_000

/** Learns the server's time from an answer. */
export function noteServerDate(header: string | null, localNow = Date.now()): void {
  const at = header ? Date.parse(header) : Number.NaN
  if (Number.isNaN(at)) return
  const skew = at - localNow
  skewMs = Math.abs(skew) > TOLERANCE_MS ? skew : 0
}

/** Now, in milliseconds since the epoch, as the server would say. */
export function now(): number {
  return Date.now() + skewMs
}

type Listener = () => void
const listeners = new Set<Listener>()
let timer: ReturnType<typeof setInterval> | undefined

/** One second hand for the whole page; it rests while nobody looks. */
export function onTick(listener: Listener): () => void {
  listeners.add(listener)
  timer ??= setInterval(() => {
    if (!document.hidden) for (const each of listeners) each()
  }, 1_000)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }
}
