/**
 * The one stream of live events of this tab: opens it, goes on from the last event after a cut, and says how fresh the
 * page is. It knows nothing of what the events mean.
 */
import { readStream, type StreamEvent, StreamRefused } from './sse'

/** `connecting`: the first try. `waiting`: it was cut, the next try comes. `ended`: signed out, or not started. */
export type LivePhase = 'ended' | 'connecting' | 'live' | 'waiting' | 'offline'
export type LiveState = { phase: LivePhase; since: number; heardAt: number }

/** The server sends a comment at least every 15 s; three missing ones mean that the line is dead. */
const SILENCE_MS = 45_000
const FIRST_DELAY_MS = 500
const MAX_DELAY_MS = 15_000

/** Before try `attempt` (from 0), with jitter so that many tabs do not come back in one instant. */
export function backOff(attempt: number, random = Math.random()): number {
  return Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt) * (0.5 + random / 2)
}

type Handlers = { onEvent: (event: StreamEvent) => void; onGap: () => void }

export class LiveConnection {
  private state: LiveState = { phase: 'ended', since: Date.now(), heardAt: Date.now() }
  private listeners = new Set<() => void>()
  private abort: AbortController | null = null
  private lastEventId = ''
  private attempt = 0
  private retry: ReturnType<typeof setTimeout> | undefined
  private silence: ReturnType<typeof setTimeout> | undefined
  private url: string
  private handlers: Handlers

  constructor(url: string, handlers: Handlers) {
    this.url = url
    this.handlers = handlers
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  readonly snapshot = (): LiveState => this.state

  /** Opens the stream and keeps it open until the returned function is called. */
  start(): () => void {
    window.addEventListener('online', this.wake)
    window.addEventListener('offline', this.sleep)
    document.addEventListener('visibilitychange', this.wake)
    this.enter('connecting')
    void this.open()
    return () => {
      window.removeEventListener('online', this.wake)
      window.removeEventListener('offline', this.sleep)
      document.removeEventListener('visibilitychange', this.wake)
      this.close()
      this.enter('ended')
    }
  }

  /** Tries now instead of when the delay is over. */
  readonly wake = (): void => {
    if (document.hidden || this.state.phase === 'live' || this.state.phase === 'connecting') return
    this.attempt = 0
    void this.open()
  }

  private readonly sleep = (): void => {
    this.close()
    this.enter('offline')
  }

  private async open(): Promise<void> {
    this.close()
    const abort = new AbortController()
    this.abort = abort
    try {
      await readStream({
        url: this.url,
        lastEventId: this.lastEventId,
        signal: abort.signal,
        onOpen: () => this.opened(),
        onHeard: () => this.heard(),
        onEvent: (event) => this.take(event),
      })
    } catch (thrown) {
      if (thrown instanceof StreamRefused && thrown.status === 401) return this.enter('ended')
    }
    if (!abort.signal.aborted) this.wait()
  }

  private opened(): void {
    const gap = this.state.phase !== 'connecting' || this.attempt > 0
    this.attempt = 0
    this.heard()
    this.enter('live')
    // Events may have been missed for longer than the server keeps them: ask again for what is on the page.
    if (gap) this.handlers.onGap()
  }

  private heard(): void {
    this.state = { ...this.state, heardAt: Date.now() }
    clearTimeout(this.silence)
    this.silence = setTimeout(() => {
      this.close()
      this.wait()
    }, SILENCE_MS)
  }

  private take(event: StreamEvent): void {
    if (event.id) this.lastEventId = event.id
    this.handlers.onEvent(event)
  }

  private wait(): void {
    clearTimeout(this.silence)
    this.enter(navigator.onLine === false ? 'offline' : 'waiting')
    clearTimeout(this.retry)
    this.retry = setTimeout(() => void this.open(), backOff(this.attempt))
    this.attempt += 1
  }

  private close(): void {
    clearTimeout(this.retry)
    clearTimeout(this.silence)
    this.abort?.abort()
    this.abort = null
  }

  private enter(phase: LivePhase): void {
    if (phase !== this.state.phase) this.state = { ...this.state, phase, since: Date.now() }
    for (const listener of this.listeners) listener()
  }
}
