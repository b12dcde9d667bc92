import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import type { App } from '../src/api/types'
import { enter, launch, open, openAs, type Window } from './browser'
import { admin, api, brokenApp, removeWhatWasMade, sampleApp, url, viewer } from './service'

let browser: Browser
let app: App
const windows: Window[] = []

beforeAll(async () => {
  browser = await launch()
  app = await sampleApp()
  await api('POST', `/apps/${app.id}/start`, {})
})
afterEach(async () => {
  for (const window of windows.splice(0)) await window.close()
})
afterAll(async () => {
  await browser?.close()
  await removeWhatWasMade()
})

async function visit(who: { username: string; password: string }, path: string): Promise<Window> {
  const window = await openAs(browser, who, path)
  windows.push(window)
  return window
}

const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name, exact: true })
const rowOf = (page: Page, name: string) =>
  page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) })
/** The state in the head of an app's page. */
const stateOf = (page: Page, name: string) =>
  page.locator('header', { has: page.getByRole('heading', { level: 1 }) }).getByText(name, { exact: true })
const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name, exact: true })

it('lets in with the right password only, to the page that was asked for', async () => {
  const window = await open(browser)
  windows.push(window)
  const { page } = window
  await page.goto(`${url}/apps/${app.id}`)
  await enter(page, { ...admin, password: 'not the password' })
  await page.getByRole('alert').getByText('The name or the password is wrong').waitFor()
  await enter(page, admin)
  await heading(page, app.name).waitFor()
})

it('stops an app, starts it for a chosen time with its output live, and extends it', async () => {
  const { page } = await visit(admin, `/apps/${app.id}`)
  await button(page, `Stop ${app.name}`).click()
  await page.getByText('No containers.').waitFor()
  await button(page, 'Start with another time').click()
  await page.getByRole('menuitem', { name: 'Start for 30 min' }).click()
  await page
    .getByRole('log')
    .getByText(/Creat|Start/)
    .first()
    .waitFor()
  await page.getByText(/stops in (30:00|29:)/).waitFor()
  await button(page, `+30 min for ${app.name}`).click()
  await page.getByText(/stops in (1:00:00|59:)/).waitFor()
  expect((await api<App>('GET', `/apps/${app.id}`)).status).toBe('running')
})

it('shows why a start failed, with its output, and offers another', async () => {
  const broken = await brokenApp()
  const { page } = await visit(admin, `/apps/${broken.id}`)
  await button(page, `Start ${broken.name}`).click()
  await page.getByText(`Start of ${broken.name} failed`).waitFor()
  await page
    .getByRole('log')
    .getByText(/imagge/)
    .first()
    .waitFor()
  await stateOf(page, 'Error').waitFor()
  await button(page, `Start ${broken.name}`).and(page.locator(':enabled')).waitFor()
})

it('offers a viewer nothing that they may not do, and ends their visit when they are disabled', async () => {
  const who = await viewer()
  const { page } = await visit(who, '/apps')
  await rowOf(page, app.name).getByText('Running').waitFor()
  expect(await button(page, /^(Start |Stop |Add|\+)/).count()).toBe(0)
  await rowOf(page, app.name).getByRole('link').click()
  await heading(page, app.name).waitFor()
  await page.getByRole('log').waitFor()
  expect(await button(page, /^(Start|Stop|Restart|More|\+)/).count()).toBe(0)
  await page.goto(`${url}/servers/${app.serverId}`)
  await rowOf(page, app.name).waitFor()
  expect(await button(page, /^(Start|Stop|More|Add|Test)/).count()).toBe(0)
  await page.goto(`${url}/users`)
  await page.getByText('You may not see this').waitFor()
  await api('PUT', `/users/${who.user.id}`, { isEnabled: false })
  await page.getByRole('button', { name: 'Sign in' }).waitFor({ timeout: 5_000 })
})

it('keeps two browsers in step within a second, for few requests', async () => {
  const [one, two] = await Promise.all([visit(admin, `/apps/${app.id}`), visit(admin, '/apps')])
  await one.page.getByRole('log').waitFor()
  await rowOf(two.page, app.name).getByText('Running').waitFor()
  one.requests.length = 0
  two.requests.length = 0
  for (const [action, during, after] of [
    ['Stop', 'Stopping', 'Stopped'],
    ['Start', 'Starting', 'Running'],
  ] as const) {
    const seen = [seenAt(stateOf(one.page, after)), seenAt(rowOf(two.page, app.name).getByText(after, { exact: true }))]
    await button(one.page, `${action} ${app.name}`).click()
    const clicked = Date.now()
    expect((await seenAt(rowOf(two.page, app.name).getByText(during, { exact: true }))) - clicked).toBeLessThan(1_000)
    const [first = 0, second = 0] = await Promise.all(seen)
    expect(Math.abs(first - second)).toBeLessThan(1_000)
    await button(one.page, `${action === 'Stop' ? 'Start' : 'Stop'} ${app.name}`)
      .and(one.page.locator(':enabled'))
      .waitFor()
  }
  // The limit of one person is 100 a minute (RATE_LIMIT_REQUESTS), in all their tabs.
  expect([...one.requests, ...two.requests].length).toBeLessThan(25)
})

async function seenAt(locator: ReturnType<Page['getByText']>): Promise<number> {
  await locator.waitFor()
  return Date.now()
}
