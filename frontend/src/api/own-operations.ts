/** Operations asked for in this tab: only of these is the outcome announced. The newest are enough. */
const MAX_KEPT = 100
const ids = new Set<string>()

export function noteOwnOperation(id: string): void {
  ids.add(id)
  const [oldest] = ids
  if (ids.size > MAX_KEPT && oldest) ids.delete(oldest)
}

/** True once for each own operation. */
export function takeOwnOperation(id: string): boolean {
  return ids.delete(id)
}
