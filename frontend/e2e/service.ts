/**
 * The service under test, by its API: what a journey needs to be there before it, and to be gone after it.
 */
import type { App, User } from '../src/api/types'

function setting(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: scripts/e2e starts a service and sets it`)
  return value
}

export const url = (process.env.QUAYMASTER_URL ?? 'http://127.0.0.1:8080').replace(/\/$/, '')
export const admin = { username: 'admin', password: setting('QUAYMASTER_PASSWORD') }

/** Different in each run, so that what a broken run left is in nobody's way. */
export const runId = Date.now().toString(36)

let token: string | undefined

/** One call as administrator. A refusal fails the test with what the service said. */
export async function api<T>(method: string, path: string, body?: unknown): Promise<T> {
  token ??= (await call<{ token: string }>('POST', '/auth/login', admin)).token
  return call<T>(method, path, body, { Authorization: `Bearer ${token}` })
}

async function call<T>(method: string, path: string, body?: unknown, headers: HeadersInit = {}): Promise<T> {
  const answer = await fetch(`${url}/api${path}`, {
    method,
    headers: { ...headers, ...(body !== undefined && { 'Content-Type': 'application/json' }) },
    body: body === undefined ? null : JSON.stringify(body),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path} was answered ${answer.status}: ${text}`)
  return (text ? JSON.parse(text) : undefined) as T
}

const made: string[] = []

async function make<T extends { id: string }>(path: string, body: unknown): Promise<T> {
  const thing = await api<T>('POST', path, body)
  made.push(`${path}/${thing.id}`)
  return thing
}

export async function removeWhatWasMade(): Promise<void> {
  for (const path of made.reverse()) await api('DELETE', path)
}

/** The app that the demo registers: one service, quick to start and to stop. */
export async function sampleApp(): Promise<App> {
  const app = (await api<App[]>('GET', '/apps')).find(({ name }) => name === 'Hello')
  if (!app) throw new Error('the sample app "Hello" is not registered: run this by scripts/e2e')
  return app
}

/** An app whose compose file is refused; it lies beside the sample app. */
export async function brokenApp(): Promise<App> {
  const { projectId, serverId, cdPath } = await sampleApp()
  return make<App>('/apps', {
    name: `Broken ${runId}`,
    projectId,
    serverId,
    cdPath: cdPath.replace(/[^/]+$/, 'broken'),
    autoStopTimeout: 0,
  })
}

/** Somebody who may look at the sample app's project, and do nothing in it. */
export async function viewer(): Promise<{ username: string; password: string; user: User }> {
  const credentials = { username: `viewer-${runId}`, password: `looks-only-${runId}` }
  const user = await make<User>('/users', { ...credentials, name: 'Vera Viewer', role: 'user' })
  const { projectId } = await sampleApp()
  await api('PUT', `/projects/${projectId}/members/${user.id}`, { role: 'viewer' })
  return { ...credentials, user }
}
