import { describe, expect, it } from 'vitest'
import type { App } from '@/api/types'
import { filterApps, sortApps } from './filter'

const app = (change: Partial<App>): App => ({
  id: change.name ?? 'a',
  name: 'a',
  projectId: 'p1',
  serverId: 's1',
  cdPath: '/srv/a',
  appUrl: null,
  autoStopTimeout: 60,
  status: 'stopped',
  startedAt: null,
  stopAt: null,
  statusReason: null,
  statusAt: null,
  services: { running: 0, total: 1 },
  createdAt: 0,
  updatedAt: 0,
  ...change,
})
const names = (apps: App[]) => apps.map(({ name }) => name)

describe('filterApps', () => {
  const apps = [
    app({ name: 'Shop API', cdPath: '/srv/shop', status: 'running' }),
    app({ name: 'Shop UI', projectId: 'p2' }),
    app({ name: 'Billing', serverId: 's2' }),
  ]
  it('takes every word, wherever it stands', () => {
    expect(names(filterApps(apps, { q: 'shop api' }))).toEqual(['Shop API'])
    expect(names(filterApps(apps, { q: '/srv/SHOP' }))).toEqual(['Shop API'])
  })
  it('each filter leaves out what does not fit', () => {
    expect(names(filterApps(apps, { project: 'p2' }))).toEqual(['Shop UI'])
    expect(names(filterApps(apps, { server: 's2' }))).toEqual(['Billing'])
    expect(names(filterApps(apps, { status: 'running' }))).toEqual(['Shop API'])
    expect(filterApps(apps, { status: 'running', server: 's2' })).toEqual([])
  })
})

describe('sortApps', () => {
  it('reads numbers in names as numbers', () => {
    expect(names(sortApps([app({ name: 'app 10' }), app({ name: 'app 9' })], { by: 'name', down: false }))).toEqual([
      'app 9',
      'app 10',
    ])
  })
  it('puts what needs a look first', () => {
    const apps = [app({ name: 'a' }), app({ name: 'b', status: 'running' }), app({ name: 'c', status: 'error' })]
    expect(names(sortApps(apps, { by: 'status', down: false }))).toEqual(['c', 'b', 'a'])
  })
  it('puts the soonest stop first and those without one by name', () => {
    const apps = [app({ name: 'c' }), app({ name: 'b' }), app({ name: 'z', stopAt: 9 }), app({ name: 'y', stopAt: 5 })]
    expect(names(sortApps(apps, { by: 'stop', down: false }))).toEqual(['y', 'z', 'b', 'c'])
  })
})
