/** Real browsers. What the page or the content policy complains about fails the test in which it happened. */
import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'
import { url } from './service'

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const STEP_MS = 15_000

const executablePath = () => {
  const paths = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
  const found = paths.find((path) => path && existsSync(path))
  if (!found) throw new Error('no Chromium found: install it (Debian: apt-get install chromium) or set CHROMIUM')
  return found
}

export const launch = () => chromium.launch({ executablePath: executablePath(), headless: true, args: ARGS })

/** What this window asked for and what went wrong in it. */
export type Window = { page: Page; requests: string[]; close: () => Promise<void> }

/** A browser of its own, as far as cookies and storage go. */
export async function open(browser: Browser): Promise<Window> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-GB' })
  const page = await context.newPage()
  page.setDefaultTimeout(STEP_MS)
  const complaints: string[] = []
  const requests: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    // A refused request is told of by the page; the browser's own line about it says nothing new.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      complaints.push(message.text())
  })
  page.on('request', (request) => {
    if (request.url().startsWith(`${url}/api/`)) requests.push(`${request.method()} ${request.url().slice(url.length)}`)
  })
  page.on('response', (response) => {
    if (response.status() === 429 || response.status() >= 500) complaints.push(`${response.status()} ${response.url()}`)
  })
  const close = async () => {
    await context.close()
    expect(complaints).toEqual([])
  }
  return { page, requests, close }
}

/** Fills in and sends the sign-in page that is open. */
export async function enter(page: Page, { username, password }: { username: string; password: string }): Promise<void> {
  await page.getByLabel('Username or e-mail').fill(username)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

/** A window in which this person is signed in, at this page. */
export async function openAs(
  browser: Browser,
  who: { username: string; password: string },
  path: string,
): Promise<Window> {
  const window = await open(browser)
  await window.page.goto(`${url}${path}`)
  await enter(window.page, who)
  await window.page.getByRole('navigation').first().waitFor()
  return window
}
