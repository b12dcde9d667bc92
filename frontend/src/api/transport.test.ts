import { beforeEach, expect, it, vi } from 'vitest'
import { rememberSignedIn } from './refresh'
import { onSignedOut, transport } from './transport'

const URL = 'http://localhost:3000/api/apps'
const refused = (code: string) => new Response(JSON.stringify({ code }), { status: 401 })

beforeEach(() => rememberSignedIn(true))

/** A server whose answers come in this order; each request is noted as `METHOD path body`. */
function server(...answers: Response[]) {
  const seen: string[] = []
  const fetcher = vi.fn(async (input: RequestInfo | URL, init?: RequestInit) => {
    const request = new Request(input, init)
    seen.push([request.method, new globalThis.URL(request.url).pathname, await request.text()].join(' ').trim())
    return answers.shift() ?? new Response(null, { status: 500 })
  })
  return { fetcher, seen }
}

it('renews an expired session and asks again with the same body', async () => {
  const { fetcher, seen } = server(refused('auth.expired'), new Response(), new Response('ok'))
  const answer = await transport(new Request(URL, { method: 'POST', body: '{"a":1}' }), fetcher)
  expect(await answer.text()).toBe('ok')
  expect(seen).toEqual(['POST /api/apps {"a":1}', 'POST /api/auth/refresh', 'POST /api/apps {"a":1}'])
})

it('says that the session is over when it cannot be renewed', async () => {
  const over = vi.fn()
  onSignedOut(over)
  const { fetcher } = server(refused('auth.expired'), refused('auth.expired'))
  expect((await transport(new Request(URL), fetcher)).status).toBe(401)
  expect(over).toHaveBeenCalledOnce()
})

it('leaves a wrong password alone', async () => {
  const { fetcher, seen } = server(refused('auth.invalid_credentials'))
  await transport(new Request('http://localhost:3000/api/auth/password', { method: 'PUT', body: '{}' }), fetcher)
  expect(seen).toHaveLength(1)
})
