import { QueryClientProvider } from '@tanstack/react-query'
import { render, screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, expect, it, vi } from 'vitest'
import { keys } from '@/api/keys'
import { makeQueryClient } from '@/api/query-client'
import type { App } from '@/api/types'
import { StartStop } from './app-actions'
import { Toaster } from './ui/toast'

const app = { id: 'a', name: 'Shop', status: 'stopped', services: { running: 0, total: 1 } } as App

afterEach(() => vi.unstubAllGlobals())

function show(answer: Response) {
  const requests: Request[] = []
  vi.stubGlobal('fetch', async (request: Request) => {
    requests.push(request)
    return answer
  })
  const client = makeQueryClient()
  client.setQueryData(keys.apps, [app])
  render(
    <QueryClientProvider client={client}>
      <StartStop app={app} />
      <Toaster />
    </QueryClientProvider>,
  )
  return { client, requests }
}

const json = (status: number, body: unknown) =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } })

it('asks for the operation at once and shows the app as starting', async () => {
  const { client, requests } = show(json(202, { id: 'o', appId: 'a', action: 'start', state: 'queued' }))
  await userEvent.click(screen.getByRole('button', { name: 'Start Shop' }))
  await waitFor(() => expect(client.getQueryData<App[]>(keys.apps)?.[0]?.status).toBe('starting'))
  expect(requests[0]?.headers.get('prefer')).toBe('respond-async')
  expect(client.getQueryData(keys.operation('o'))).toMatchObject({ state: 'queued' })
})

it('says who is in the way, with the request id', async () => {
  show(json(409, { code: 'app.busy', detail: 'A stop is under way.', requestId: 'r-7' }))
  await userEvent.click(screen.getByRole('button', { name: 'Start Shop' }))
  expect(await screen.findByRole('alert')).toHaveTextContent('Shop is busy')
  expect(screen.getByRole('alert')).toHaveTextContent('request r-7')
})
