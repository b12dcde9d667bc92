const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** How long ago, in one unit: `now`, `12 s ago`, `5 min ago`, `3 h ago`, `2 d ago`. */
export function formatAge(ageMs: number): string {
  if (ageMs < 2 * SECOND) return 'just now'
  if (ageMs < MINUTE) return `${Math.floor(ageMs / SECOND)} s ago`
  if (ageMs < HOUR) return `${Math.floor(ageMs / MINUTE)} min ago`
  if (ageMs < DAY) return `${Math.floor(ageMs / HOUR)} h ago`
  return `${Math.floor(ageMs / DAY)} d ago`
}

/** A length of time in at most two units: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `4 d 2 h`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1) return '0 s'
  if (durationMs < SECOND) return `${Math.round(durationMs)} ms`
  if (durationMs < 10 * SECOND) return `${(durationMs / SECOND).toFixed(1)} s`
  if (durationMs < MINUTE) return `${Math.floor(durationMs / SECOND)} s`
  if (durationMs < HOUR) return twoUnits(durationMs, MINUTE, 'min', SECOND, 's')
  if (durationMs < DAY) return twoUnits(durationMs, HOUR, 'h', MINUTE, 'min')
  return twoUnits(durationMs, DAY, 'd', HOUR, 'h')
}

/** The same for something that still goes on: whole seconds from the start. */
export function formatElapsed(durationMs: number): string {
  if (durationMs >= 10 * SECOND) return formatDuration(durationMs)
  return `${Math.max(0, Math.floor(durationMs / SECOND))} s`
}

function twoUnits(ms: number, big: number, bigName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % big) / small)
  return `${Math.floor(ms / big)} ${bigName}${rest > 0 ? ` ${rest} ${smallName}` : ''}`
}

/** What is left: `0:42`, `59:03`, `2:05:00`, and `3 d 4 h` from two days on. Never below zero. */
export function formatCountDown(leftMs: number): string {
  const seconds = Math.max(0, Math.ceil(leftMs / SECOND))
  if (seconds >= (2 * DAY) / SECOND) return formatDuration(seconds * SECOND)
  const pad = (n: number) => String(n).padStart(2, '0')
  const hours = Math.floor(seconds / 3_600)
  const minutes = Math.floor((seconds % 3_600) / 60)
  const rest = pad(seconds % 60)
  return hours > 0 ? `${hours}:${pad(minutes)}:${rest}` : `${minutes}:${rest}`
}

/** Minutes in words: `never`, `45 min`, `2 h`, `1 h 30 min`. */
export function formatMinutes(minutes: number): string {
  return minutes === 0 ? 'never' : formatDuration(minutes * MINUTE)
}

const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })

/** The moment in full, in the reader's own zone and language. */
export function formatMoment(at: number): string {
  return absolute.format(at)
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })

/** The time of day. */
export function formatTimeOfDay(at: number): string {
  return clock.format(at)
}
