/** What a person should look at first, worst first, and why. Pure, so that its order can be tested. */
import type { App, Operation, Server } from '@/api/types'
import { outcome } from '@/components/action-names'

export type Concern = {
  key: string
  tone: 'bad' | 'warn'
  subject: { kind: 'server' | 'app' | 'operation'; id: string; name: string }
  status: Server['status'] | App['status'] | Operation['state']
  reason: string | null
  since: number | null
}

const DAY_MS = 24 * 3_600_000

type Seen = { servers: Server[]; apps: App[]; operations: Operation[]; now: number }

export function concerns({ servers, apps, operations, now }: Seen): Concern[] {
  const found = [...servers.flatMap(ofServer), ...apps.flatMap(ofApp), ...ofOperations(operations, apps, now)]
  const weight = (concern: Concern) => (concern.tone === 'bad' ? 0 : 1)
  return found.toSorted((a, b) => weight(a) - weight(b))
}

function ofServer(server: Server): Concern[] {
  if (server.status !== 'offline' && server.status !== 'degraded') return []
  return [
    {
      key: `server-${server.id}`,
      tone: server.status === 'offline' ? 'bad' : 'warn',
      subject: { kind: 'server', id: server.id, name: server.name },
      status: server.status,
      reason: server.statusReason,
      since: server.lastChecked,
    },
  ]
}

function ofApp(app: App): Concern[] {
  if (app.status !== 'error' && app.status !== 'degraded') return []
  return [
    {
      key: `app-${app.id}`,
      tone: app.status === 'error' ? 'bad' : 'warn',
      subject: { kind: 'app', id: app.id, name: app.name },
      status: app.status,
      reason: app.statusReason ?? null,
      since: app.statusAt ?? null,
    },
  ]
}

/** A failure counts for a day, and only while it is the last that was done to its app. */
function ofOperations(operations: Operation[], apps: App[], now: number): Concern[] {
  const seen = new Set<string>()
  return operations.flatMap((operation): Concern[] => {
    if (seen.has(operation.appId)) return []
    seen.add(operation.appId)
    if (operation.state !== 'failed' && operation.state !== 'lost') return []
    const finished = operation.finishedAt ?? operation.createdAt
    const app = apps.find((each) => each.id === operation.appId)
    if (!app || app.status === 'error' || now - finished > DAY_MS) return []
    return [
      {
        key: `operation-${operation.id}`,
        tone: 'warn',
        subject: { kind: 'operation', id: operation.id, name: `${operation.action} ${app.name}` },
        status: operation.state,
        reason: outcome(operation),
        since: finished,
      },
    ]
  })
}
