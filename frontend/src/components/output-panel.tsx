import { ArrowDownToLine, WrapText } from 'lucide-react'
import { memo, type ReactNode, useEffect, useLayoutEffect, useRef, useState, useSyncExternalStore } from 'react'
import type { Line } from '@/lib/ansi'
import { cn } from '@/lib/cn'
import { Follower, type FollowState } from '@/live/follow'
import { Copy } from './copy'
import { Panel } from './page'
import { Button } from './ui/button'

/** Lines in the page; older ones are in the buffer, and copied with the rest. */
const MAX_DRAWN = 1_500
/** Nearer to the end than this counts as being there. */
const AT_END_PX = 24

/** What the first look takes: a box of one height while text comes, one that fits what is complete, most of a page. */
type Size = 'fixed' | 'fitting' | 'tall'
const SIZES: Record<Size, string> = { fixed: 'h-72', fitting: 'max-h-72 min-h-16', tall: 'max-h-[65vh] min-h-72' }

type Props = { url: string; title: ReactNode; aside?: ReactNode; empty?: string; size?: Size }

/** The text of one stream, live. A new `url` needs a new `key`. */
export function OutputPanel({ url, title, aside, empty = 'No output.', size = 'fixed' }: Props) {
  const [follower] = useState(() => new Follower(url))
  useEffect(() => follower.start(), [follower])
  const state = useSyncExternalStore(follower.subscribe, follower.snapshot)
  // The height stays when the text is complete: nothing below jumps.
  const [firstSize] = useState(size)
  const [follow, setFollow] = useState(true)
  const [wrap, setWrap] = useState(true)
  const tools = (
    <>
      {aside}
      <Button
        variant="ghost"
        size="icon"
        aria-pressed={wrap}
        aria-label="Wrap long lines"
        onClick={() => setWrap(!wrap)}
      >
        <WrapText className={cn(wrap && 'text-accent')} />
      </Button>
      <Button
        variant="ghost"
        size="icon"
        aria-pressed={follow}
        aria-label="Follow the end"
        onClick={() => setFollow(!follow)}
      >
        <ArrowDownToLine className={cn(follow && 'text-accent')} />
      </Button>
      <Copy text={() => follower.text()} label="Copy output" />
    </>
  )
  return (
    <Panel title={title} aside={tools}>
      <Lines state={state} follow={follow} onFollow={setFollow} wrap={wrap} empty={empty} size={firstSize} />
    </Panel>
  )
}

type LinesProps = {
  state: FollowState
  follow: boolean
  onFollow: (follow: boolean) => void
  wrap: boolean
  empty: string
  size: Size
}

function Lines({ state, follow, onFollow, wrap, empty, size }: LinesProps) {
  const box = useRef<HTMLDivElement>(null)
  const { lines } = state
  useLayoutEffect(() => {
    if (follow && lines.length > 0) box.current?.scrollTo({ top: box.current.scrollHeight })
  }, [follow, lines])
  const scrolled = () => {
    const el = box.current
    if (!el) return
    const atEnd = el.scrollHeight - el.scrollTop - el.clientHeight < AT_END_PX
    if (atEnd !== follow) onFollow(atEnd)
  }
  const hidden = state.dropped + Math.max(0, lines.length - MAX_DRAWN)
  return (
    <div
      ref={box}
      onScroll={scrolled}
      role="log"
      aria-label="Output"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
      tabIndex={0}
      className={cn(
        'overflow-auto bg-sunken px-4 py-3 font-mono text-xs leading-[1.125rem] focus-visible:-outline-offset-2',
        SIZES[size],
        wrap ? 'whitespace-pre-wrap break-all' : 'whitespace-pre',
      )}
    >
      {hidden > 0 && <p className="text-ink-3">… {hidden} earlier lines are not shown</p>}
      {lines.slice(-MAX_DRAWN).map((line) => (
        <LineView key={line.number} line={line} />
      ))}
      <Phase state={state} empty={empty} />
    </div>
  )
}

const LineView = memo(function LineView({ line }: { line: Line }) {
  return (
    <div className="min-h-[1.125rem]">
      {line.spans.map((span, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: spans of a line only grow at its end
        <span key={i} className={span.className}>
          {span.text}
        </span>
      ))}
    </div>
  )
})

function Phase({ state, empty }: { state: FollowState; empty: string }) {
  const { phase, lines, status } = state
  if (phase === 'refused') {
    const why =
      status === 403 ? 'You may not read this.' : status === 404 ? 'There is no output.' : `Refused (${status}).`
    return <p className="text-ink-3">{why}</p>
  }
  if (phase === 'waiting') return <p className="text-warn">The line is cut. Trying again…</p>
  if (phase === 'connecting') return <p className="animate-late text-ink-3">Connecting…</p>
  if (lines.length > 0) return null
  return <p className="text-ink-3">{phase === 'ended' ? empty : 'Waiting for output…'}</p>
}
