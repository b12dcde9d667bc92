/** Following the text of an operation or of an app's containers, as a store that React can read. */
import { type Line, OutputBuffer } from '@/lib/ansi'
import { backOff } from './connection'
import { readStream, type StreamEvent, StreamRefused } from './sse'

export type FollowState = {
  phase: 'connecting' | 'following' | 'waiting' | 'ended' | 'refused'
  lines: Line[]
  dropped: number
  status: number
}

/** The text in an event: `{"data"}` of an operation, `{"service","line"}` of a container, or the bare data. */
export function textOf(event: StreamEvent): string {
  try {
    const body: unknown = JSON.parse(event.data)
    if (typeof body !== 'object' || body === null) return `${event.data}\n`
    if ('data' in body && typeof body.data === 'string') return body.data
    if ('line' in body && typeof body.line === 'string') {
      const service = 'service' in body && typeof body.service === 'string' ? `\x1b[2m${body.service}\x1b[0m  ` : ''
      return `${service}${body.line}\n`
    }
  } catch {
    // Not JSON: the data is the text.
  }
  return `${event.data}\n`
}

export class Follower {
  private buffer = new OutputBuffer()
  private state: FollowState = { phase: 'connecting', lines: [], dropped: 0, status: 0 }
  private listeners = new Set<() => void>()
  private lastEventId = ''
  private attempt = 0
  private frame = 0
  private ended = false
  private url: string

  constructor(url: string) {
    this.url = url
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
  readonly snapshot = (): FollowState => this.state

  text(): string {
    return this.buffer.text()
  }

  start(): () => void {
    const abort = new AbortController()
    void this.run(abort.signal)
    return () => {
      abort.abort()
      cancelAnimationFrame(this.frame)
    }
  }

  private async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.ended) {
      try {
        await readStream({
          url: this.url,
          lastEventId: this.lastEventId,
          signal,
          onOpen: () => {
            this.attempt = 0
            this.publish({ phase: 'following' })
          },
          onEvent: (event) => this.take(event),
        })
        // The stream ended without saying so. Going on from its last id repeats nothing; without ids it is over.
        if (!this.ended && this.lastEventId === '') return this.publish({ phase: 'ended' })
      } catch (thrown) {
        if (signal.aborted) return
        if (thrown instanceof StreamRefused && thrown.status < 500 && thrown.status !== 429)
          return this.publish({ phase: 'refused', status: thrown.status })
      }
      if (this.ended) return
      this.publish({ phase: 'waiting' })
      await pause(backOff(this.attempt), signal)
      this.attempt += 1
    }
  }

  private take(event: StreamEvent): void {
    if (event.name === 'end') {
      this.ended = true
      this.publish({ phase: 'ended' })
      return
    }
    if (event.id) this.lastEventId = event.id
    this.buffer.write(textOf(event))
    // However fast the host talks, the page is drawn once per frame.
    if (this.frame === 0)
      this.frame = requestAnimationFrame(() => {
        this.frame = 0
        this.publish({})
      })
  }

  private publish(change: Partial<FollowState>): void {
    this.state = { ...this.state, ...change, lines: this.buffer.lines(), dropped: this.buffer.dropped }
    for (const listener of this.listeners) listener()
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
