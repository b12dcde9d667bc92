import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { backOff, LiveConnection } from './connection'

describe('backOff', () => {
  it('doubles up to a limit, with jitter below', () => {
    expect(backOff(0, 1)).toBe(500)
    expect(backOff(3, 1)).toBe(4_000)
    expect(backOff(30, 1)).toBe(15_000)
    expect(backOff(3, 0)).toBe(2_000)
  })
})

describe('LiveConnection', () => {
  /** Streams that the test feeds and cuts; each request's last event id is noted. */
  const streams: ReadableStreamDefaultController<Uint8Array>[] = []
  const lastIds: (string | null)[] = []
  let status = 200

  beforeEach(() => {
    streams.length = 0
    lastIds.length = 0
    status = 200
    vi.useFakeTimers()
    vi.stubGlobal('fetch', async (request: Request) => {
      lastIds.push(request.headers.get('last-event-id'))
      if (status !== 200) return new Response('{"code":"auth.required"}', { status })
      return new Response(new ReadableStream<Uint8Array>({ start: (controller) => void streams.push(controller) }))
    })
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })

  const settle = () => vi.advanceTimersByTimeAsync(0)
  const send = (text: string) => streams.at(-1)?.enqueue(new TextEncoder().encode(text))

  function connect() {
    const onEvent = vi.fn()
    const onGap = vi.fn()
    const connection = new LiveConnection('http://localhost:3000/api/events', { onEvent, onGap })
    return { connection, onEvent, onGap, stop: connection.start() }
  }

  it('is live once the stream is open, and hands events on', async () => {
    const { connection, onEvent, onGap, stop } = connect()
    await settle()
    send('id: 4\nevent: app.status\ndata: {}\n\n')
    await settle()
    expect(connection.snapshot().phase).toBe('live')
    expect(onEvent).toHaveBeenCalledWith({ id: '4', name: 'app.status', data: '{}' })
    expect(onGap).not.toHaveBeenCalled()
    stop()
  })

  it('goes on from the last event after a cut, and tells of the gap', async () => {
    const { connection, onGap, stop } = connect()
    await settle()
    send('id: 4\ndata: {}\n\n')
    await settle()
    streams.at(-1)?.error(new Error('cut'))
    await settle()
    expect(connection.snapshot().phase).toBe('waiting')
    await vi.advanceTimersByTimeAsync(600)
    expect(connection.snapshot().phase).toBe('live')
    expect(lastIds).toEqual([null, '4'])
    expect(onGap).toHaveBeenCalledOnce()
    stop()
  })

  it('takes silence for a dead line', async () => {
    const { connection, stop } = connect()
    await settle()
    await vi.advanceTimersByTimeAsync(40_000)
    expect(connection.snapshot().phase).toBe('live')
    send(': still here\n\n')
    await vi.advanceTimersByTimeAsync(40_000)
    expect(connection.snapshot().phase).toBe('live')
    await vi.advanceTimersByTimeAsync(5_001)
    expect(connection.snapshot().phase).toBe('waiting')
    stop()
  })

  it('stops trying when the session is over', async () => {
    status = 401
    const { connection, stop } = connect()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(connection.snapshot().phase).toBe('ended')
    expect(lastIds).toHaveLength(1)
    stop()
  })
})
