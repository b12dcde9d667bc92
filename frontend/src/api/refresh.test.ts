import { beforeEach, describe, expect, it, vi } from 'vitest'
import { rememberSignedIn, renewSession, wasSignedIn } from './refresh'

const answer = (status: number) => vi.fn(async () => new Response(null, { status }))

beforeEach(() => rememberSignedIn(true))

describe('renewSession', () => {
  it('asks once however many calls found the session expired', async () => {
    const fetcher = answer(200)
    const all = await Promise.all([1, 2, 3].map(() => renewSession(Date.now(), fetcher)))
    expect(all).toEqual([true, true, true])
    expect(fetcher).toHaveBeenCalledOnce()
  })

  it('does not ask again for a call that was sent before another tab renewed', async () => {
    const sentAt = Date.now() - 10
    await renewSession(sentAt, answer(200))
    const second = answer(200)
    expect(await renewSession(sentAt, second)).toBe(true)
    expect(second).not.toHaveBeenCalled()
  })

  it('forgets the session that cannot be renewed', async () => {
    expect(await renewSession(Date.now(), answer(401))).toBe(false)
    expect(wasSignedIn()).toBe(false)
  })

  it('keeps the session when the server only had trouble', async () => {
    expect(await renewSession(Date.now(), answer(503))).toBe(false)
    expect(wasSignedIn()).toBe(true)
  })

  it('asks nothing when nobody was signed in', async () => {
    rememberSignedIn(false)
    const fetcher = answer(200)
    expect(await renewSession(Date.now(), fetcher)).toBe(false)
    expect(fetcher).not.toHaveBeenCalled()
  })
})
