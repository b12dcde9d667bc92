import { expect, it } from 'vitest'
import type { App, Operation, Server } from '@/api/types'
import { concerns } from './attention'

const NOW = 1_700_000_000_000
const server = (change: object) =>
  ({ id: 's', name: 's', status: 'online', statusReason: null, lastChecked: NOW, ...change }) as Server
const app = (change: object) => ({ id: 'a', name: 'a', status: 'running', ...change }) as App
const operation = (change: object) =>
  ({
    id: 'o',
    appId: 'a',
    action: 'start',
    state: 'failed',
    exitCode: 1,
    error: null,
    createdAt: NOW,
    finishedAt: NOW,
    ...change,
  }) as Operation
const keys = (seen: Partial<Parameters<typeof concerns>[0]>) =>
  concerns({ servers: [], apps: [], operations: [], now: NOW, ...seen }).map(({ key }) => key)

it('has nothing to say when all is well, unknown or at rest', () => {
  expect(
    keys({ servers: [server({}), server({ status: 'unknown' })], apps: [app({}), app({ status: 'stopped' })] }),
  ).toEqual([])
})

it('names the worst first', () => {
  const servers = [server({ id: 's1', status: 'degraded' }), server({ id: 's2', status: 'offline' })]
  expect(keys({ servers, apps: [app({ status: 'error' })] })).toEqual(['server-s2', 'app-a', 'server-s1'])
})

it('forgets a failure that something newer followed', () => {
  const apps = [app({})]
  expect(keys({ apps, operations: [operation({})] })).toEqual(['operation-o'])
  expect(keys({ apps, operations: [operation({ id: 'n', state: 'succeeded' }), operation({})] })).toEqual([])
})

it('forgets a failure after a day, or with its app', () => {
  expect(keys({ apps: [app({})], operations: [operation({ finishedAt: NOW - 25 * 3_600_000 })] })).toEqual([])
  expect(keys({ operations: [operation({})] })).toEqual([])
})
