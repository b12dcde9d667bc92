/** What a live event changes in the cache: the known fields at once, the rest by asking again, a little later. */
import type { QueryClient, QueryKey } from '@tanstack/react-query'
import { patchApp, refreshApps } from '@/api/apps'
import { keys } from '@/api/keys'
import { isOver, patchOperation } from '@/api/operations'
import type { AppState, OperationState, Server, ServerState } from '@/api/types'

export type LiveEvent =
  | { kind: 'server.status'; serverId: string; status: ServerState; reason: string | null; at: number }
  | { kind: 'app.status'; appId: string; status: AppState; reason: string | null; at: number }
  | { kind: 'operation.state'; operationId: string; appId: string; state: OperationState; at: number }

/** The event in this frame, or null for one that this version does not know. */
export function parseEvent(name: string, data: string): LiveEvent | null {
  let body: Record<string, unknown>
  try {
    body = JSON.parse(data)
  } catch {
    return null
  }
  const reason = typeof body.reason === 'string' ? body.reason : null
  const at = Number(body.at ?? 0)
  if (name === 'server.status' && typeof body.serverId === 'string')
    return { kind: name, serverId: body.serverId, status: body.status as ServerState, reason, at }
  if (name === 'app.status' && typeof body.appId === 'string')
    return { kind: name, appId: body.appId, status: body.status as AppState, reason, at }
  if (name === 'operation.state') {
    const operationId = body.operationId ?? body.id
    if (typeof operationId !== 'string' || typeof body.appId !== 'string') return null
    return { kind: name, operationId, appId: body.appId, state: body.state as OperationState, at }
  }
  return null
}

/** A burst of events is answered by one request per thing that it changed. */
const SETTLE_MS = 400

export class EventApplier {
  private queryClient: QueryClient
  private stale = new Map<string, QueryKey>()
  private apps = new Set<string>()
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(queryClient: QueryClient) {
    this.queryClient = queryClient
  }

  apply(event: LiveEvent): void {
    if (event.kind === 'server.status') this.server(event)
    else if (event.kind === 'app.status') this.app(event)
    else this.operation(event)
  }

  /** Events were missed: everything on the page is asked for again. */
  refetchAll(): void {
    void this.queryClient.invalidateQueries({ predicate: (query) => query.queryKey[0] !== 'session' })
  }

  private server({ serverId, status, reason, at }: LiveEvent & { kind: 'server.status' }): void {
    const change = { status, statusReason: reason, lastChecked: at }
    this.queryClient.setQueryData<Server>(keys.server(serverId), (server) => server && { ...server, ...change })
    this.queryClient.setQueryData<Server[]>(keys.servers, (servers) =>
      servers?.map((server) => (server.id === serverId ? { ...server, ...change } : server)),
    )
    this.later(keys.servers)
  }

  private app({ appId, status, reason, at }: LiveEvent & { kind: 'app.status' }): void {
    patchApp(this.queryClient, appId, { status, statusReason: reason, statusAt: at })
    this.apps.add(appId)
    this.soon()
  }

  private operation({ operationId, appId, state, at }: LiveEvent & { kind: 'operation.state' }): void {
    const change = state === 'running' ? { state, startedAt: at } : { state }
    for (const key of patchOperation(this.queryClient, { id: operationId, appId }, change)) this.later(key)
    if (!isOver({ state })) return
    this.later(keys.operation(operationId))
    this.apps.add(appId)
  }

  private later(queryKey: QueryKey): void {
    this.stale.set(JSON.stringify(queryKey), queryKey)
    this.soon()
  }

  private soon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      const due = [...this.stale.values()]
      const apps = [...this.apps]
      this.stale.clear()
      this.apps.clear()
      for (const queryKey of due) void this.queryClient.invalidateQueries({ queryKey })
      if (apps.length > 0) void refreshApps(this.queryClient, apps)
    }, SETTLE_MS)
  }
}
