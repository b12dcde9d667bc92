import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { keys } from '@/api/keys'
import { makeQueryClient } from '@/api/query-client'
import type { App, Server } from '@/api/types'
import { EventApplier, parseEvent } from './apply'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('parseEvent', () => {
  it('leaves out what it does not know and what is broken', () => {
    expect(parseEvent('alert.fired', '{"id":"1"}')).toBeNull()
    expect(parseEvent('app.status', '{')).toBeNull()
    expect(parseEvent('app.status', '{"status":"running"}')).toBeNull()
  })
  it('reads the three kinds', () => {
    expect(parseEvent('app.status', '{"appId":"a","status":"running","reason":null,"at":5}')).toEqual({
      kind: 'app.status',
      appId: 'a',
      status: 'running',
      reason: null,
      at: 5,
    })
    expect(parseEvent('server.status', '{"serverId":"s","status":"offline","reason":"dns","at":5}')?.kind).toBe(
      'server.status',
    )
    expect(parseEvent('operation.state', '{"operationId":"o","appId":"a","state":"failed","at":5}')?.kind).toBe(
      'operation.state',
    )
  })
})

describe('EventApplier', () => {
  function page() {
    const client = makeQueryClient()
    client.setQueryData(keys.apps, [
      { id: 'a', status: 'stopped' },
      { id: 'b', status: 'stopped' },
    ] as App[])
    client.setQueryData(keys.app('a'), { id: 'a', status: 'stopped' } as App)
    client.setQueryData(keys.servers, [{ id: 's', status: 'online', statusReason: null, lastChecked: 1 }] as Server[])
    return { client, applier: new EventApplier(client), asked: vi.spyOn(client, 'invalidateQueries') }
  }

  it('changes the list and the thing at once, and nothing else', () => {
    const { client, applier } = page()
    applier.apply({ kind: 'app.status', appId: 'a', status: 'running', reason: null, at: 7 })
    expect(client.getQueryData<App[]>(keys.apps)?.map(({ status }) => status)).toEqual(['running', 'stopped'])
    expect(client.getQueryData<App>(keys.app('a'))?.statusAt).toBe(7)
  })

  it('keeps the reason and the age of a server', () => {
    const { client, applier } = page()
    applier.apply({ kind: 'server.status', serverId: 's', status: 'offline', reason: 'dns', at: 9 })
    expect(client.getQueryData<Server[]>(keys.servers)?.[0]).toMatchObject({
      status: 'offline',
      statusReason: 'dns',
      lastChecked: 9,
    })
  })

  it('asks once for a burst of events', () => {
    const { applier, asked } = page()
    for (let i = 0; i < 50; i += 1)
      applier.apply({ kind: 'app.status', appId: 'a', status: 'running', reason: null, at: i })
    expect(asked).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1_000)
    expect(asked.mock.calls.map(([filters]) => filters?.queryKey)).toEqual([keys.apps, keys.projects])
  })
})
