/**
 * Server-sent events over `fetch` (WHATWG HTML, section 9.2). The browser's own `EventSource` hides the status of a
 * refused stream and cannot be given an event id to go on from, and both are needed here.
 */
import { transport } from '@/api/transport'

export type StreamEvent = { id: string; name: string; data: string }

/** A line or event longer than this is not ours: the stream is given up. */
const MAX_EVENT_CHARS = 1_048_576

export class SseParser {
  private rest = ''
  private id = ''
  private name = ''
  private data: string[] = []

  push(text: string): StreamEvent[] {
    const events: StreamEvent[] = []
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/)
    this.rest = lines.pop() ?? ''
    if (this.rest.length > MAX_EVENT_CHARS) throw new Error('event too large')
    for (const line of lines) {
      const event = this.line(line)
      if (event) events.push(event)
    }
    return events
  }

  private line(line: string): StreamEvent | null {
    if (line === '') return this.dispatch()
    const colon = line.indexOf(':')
    if (colon === 0) return null
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'data') this.data.push(value)
    else if (field === 'event') this.name = value
    else if (field === 'id' && !value.includes('\0')) this.id = value
    return null
  }

  private dispatch(): StreamEvent | null {
    const event = { id: this.id, name: this.name || 'message', data: this.data.join('\n') }
    const empty = this.data.length === 0
    this.name = ''
    this.data = []
    return empty ? null : event
  }
}

/** A stream that was refused, with the status of the refusal. */
export class StreamRefused extends Error {
  readonly status: number
  constructor(status: number) {
    super(`stream refused with ${status}`)
    this.status = status
  }
}

export type StreamOptions = {
  url: string
  lastEventId: string
  signal: AbortSignal
  onOpen: () => void
  onEvent: (event: StreamEvent) => void
  /** Called for every byte that comes, comments too: the far side lives. */
  onHeard?: () => void
}

/** Reads one stream to its end. Resolves when the server ends it; throws when it is refused, cut or aborted. */
export async function readStream(options: StreamOptions): Promise<void> {
  const headers: Record<string, string> = { Accept: 'text/event-stream' }
  if (options.lastEventId) headers['Last-Event-ID'] = options.lastEventId
  const request = new Request(options.url, {
    headers,
    signal: options.signal,
    credentials: 'same-origin',
    cache: 'no-store',
  })
  const answer = await transport(request)
  if (!answer.ok || !answer.body) throw new StreamRefused(answer.status)
  options.onOpen()
  const parser = new SseParser()
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    options.onHeard?.()
    for (const event of parser.push(value)) options.onEvent(event)
  }
}
