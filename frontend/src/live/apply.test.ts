import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { keys } from '@/api/keys'
import { makeQueryClient } from '@/api/query-client'
import type { App, OperationState, Server } from '@/api/types'
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
    const fetched = vi.spyOn(client, 'fetchQuery').mockRejectedValue(new Error('not here'))
    return { client, applier: new EventApplier(client), asked: vi.spyOn(client, 'invalidateQueries'), fetched }
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
    const { applier, asked, fetched } = page()
    for (let i = 0; i < 50; i += 1)
      applier.apply({ kind: 'app.status', appId: 'a', status: 'running', reason: null, at: i })
    expect(asked).not.toHaveBeenCalled()
    expect(fetched).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1_000)
    expect(fetched.mock.calls.map(([options]) => options.queryKey)).toEqual([keys.app('a')])
    expect(asked.mock.calls.map(([filters]) => filters?.queryKey)).toEqual([keys.services('a')])
  })

  it('asks for the list when several apps changed', () => {
    const { applier, asked, fetched } = page()
    for (const appId of ['a', 'b'])
      applier.apply({ kind: 'app.status', appId, status: 'unknown', reason: 'dns', at: 1 })
    vi.advanceTimersByTime(1_000)
    expect(fetched).not.toHaveBeenCalled()
    expect(asked.mock.calls.map(([filters]) => filters?.queryKey)).toContainEqual(keys.apps)
  })

  it('asks for the operations only when an event says more than the page knows', () => {
    const { client, applier, asked } = page()
    const key = keys.operationList({ appId: 'a', limit: 10 })
    const list = { pages: [{ items: [{ id: 'o', appId: 'a', state: 'queued' }] }], pageParams: [undefined] }
    client.setQueryData(key, list)
    client.setQueryData(keys.operationList({ appId: 'b', limit: 10 }), { pages: [{ items: [] }], pageParams: [] })
    const tell = (operationId: string, state: OperationState) => {
      asked.mockClear()
      applier.apply({ kind: 'operation.state', operationId, appId: 'a', state, at: 3 })
      vi.advanceTimersByTime(1_000)
      return asked.mock.calls.map(([filters]) => filters?.queryKey)
    }
    expect(tell('o', 'running')).toEqual([])
    expect(client.getQueryData<typeof list>(key)?.pages[0]?.items[0]).toMatchObject({ state: 'running', startedAt: 3 })
    expect(tell('new', 'queued')).toEqual([key])
    expect(tell('o', 'failed')).toContainEqual(key)
  })
})
