import type { App, AppState } from '@/api/types'
import type { Sort } from '@/components/data-table'

export type AppFilter = { q?: string; project?: string; server?: string; status?: AppState }

/** Apps that fit every filter; the text is looked for in the name, the path and the address. */
export function filterApps(apps: App[], { q, project, server, status }: AppFilter): App[] {
  const words = (q ?? '').toLowerCase().split(/\s+/).filter(Boolean)
  return apps.filter((app) => {
    if (project && app.projectId !== project) return false
    if (server && app.serverId !== server) return false
    if (status && app.status !== status) return false
    const text = `${app.name}\n${app.cdPath}\n${app.appUrl ?? ''}`.toLowerCase()
    return words.every((word) => text.includes(word))
  })
}

/** What needs a look comes before what runs, and that before what rests. */
const ORDER: AppState[] = ['error', 'degraded', 'unknown', 'starting', 'stopping', 'running', 'stopped']

export function sortApps(apps: App[], { by, down }: Sort): App[] {
  const byName = (a: App, b: App) => a.name.localeCompare(b.name, undefined, { numeric: true })
  const compare = (a: App, b: App) => {
    if (by === 'status') return ORDER.indexOf(a.status) - ORDER.indexOf(b.status)
    if (by === 'stop') return (a.stopAt ?? Number.POSITIVE_INFINITY) - (b.stopAt ?? Number.POSITIVE_INFINITY) || 0
    return byName(a, b)
  }
  const sign = down ? -1 : 1
  return apps.toSorted((a, b) => {
    const order = compare(a, b)
    return Number.isNaN(order) || order === 0 ? byName(a, b) : sign * order
  })
}
