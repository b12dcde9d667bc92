/** Days of a date field, in the reader's own zone, as moments. */

const DAY = /^\d{4}-\d{2}-\d{2}$/

export function dayStart(day: string | undefined): number | undefined {
  return moment(day, 'T00:00:00')
}

export function dayEnd(day: string | undefined): number | undefined {
  return moment(day, 'T23:59:59.999')
}

function moment(day: string | undefined, time: string): number | undefined {
  if (!day || !DAY.test(day)) return undefined
  const at = Date.parse(day + time)
  return Number.isNaN(at) ? undefined : at
}
