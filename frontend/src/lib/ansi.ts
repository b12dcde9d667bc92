/**
 * Text of a host, for reading. Colours and weight of SGR sequences are kept as class names, every other control
 * sequence is dropped: what a host prints is never markup and never moves anything but its own line.
 */
export type Span = { text: string; className: string }
export type Line = { number: number; spans: Span[] }

/** Lines kept; the oldest go first, and their number is told. */
export const MAX_LINES = 5_000
/** Characters kept of one line. */
export const MAX_LINE_CHARS = 4_000
/** An unfinished control sequence longer than this is no sequence. */
const MAX_PENDING_CHARS = 256

const COLOURS = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white']

type Pen = { colour: string; bold: boolean; dim: boolean }
const plainPen = (): Pen => ({ colour: '', bold: false, dim: false })

// CSI, OSC (ended by BEL or ST), a charset choice, or a lone two-character escape.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const SEQUENCE = /\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-B]|[=>78A-Z])/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const PLAIN = /[^\x00-\x08\x0a-\x1f\x7f]+/y

export class OutputBuffer {
  private closed: Line[] = []
  private open: Line = { number: 1, spans: [] }
  private openChars = 0
  private pen = plainPen()
  private pending = ''
  private returned = false
  /** How many of the oldest lines were let go. */
  dropped = 0

  write(chunk: string): void {
    const text = this.pending + chunk
    this.pending = ''
    let at = 0
    while (at < text.length) {
      PLAIN.lastIndex = at
      const plain = PLAIN.exec(text)
      if (plain) {
        this.put(plain[0])
        at += plain[0].length
        continue
      }
      const code = text[at]
      if (code !== '\x1b') {
        this.control(code)
        at += 1
        continue
      }
      const length = this.escape(text, at)
      if (length === 0) {
        this.pending = text.slice(at)
        return
      }
      at += length
    }
  }

  /** The lines so far; the array is new whenever its content is. */
  lines(): Line[] {
    return this.open.spans.length > 0 ? [...this.closed, this.open] : [...this.closed]
  }

  text(): string {
    return this.lines()
      .map((line) => line.spans.map((span) => span.text).join(''))
      .join('\n')
  }

  private control(code: string | undefined): void {
    if (code === '\n') this.endLine()
    // Progress bars go back to the start of the line: what follows replaces it, unless it is the line's end.
    else if (code === '\r') this.returned = true
  }

  /** The length of the sequence at `at`, or 0 when its end has not come yet. */
  private escape(text: string, at: number): number {
    SEQUENCE.lastIndex = at
    const found = SEQUENCE.exec(text)
    if (!found) return text.length - at > MAX_PENDING_CHARS ? 1 : 0
    if (found[2] === 'm') this.pen = colour(this.pen, found[1] ?? '')
    else if (found[2] === 'K') this.returned = true
    return found[0].length
  }

  private put(text: string): void {
    if (this.returned) {
      this.open = { number: this.open.number, spans: [] }
      this.openChars = 0
      this.returned = false
    }
    const kept = text.slice(0, MAX_LINE_CHARS - this.openChars)
    if (kept === '') return
    this.openChars += kept.length
    const className = penClass(this.pen)
    const last = this.open.spans.at(-1)
    const spans =
      last?.className === className
        ? [...this.open.spans.slice(0, -1), { text: last.text + kept, className }]
        : [...this.open.spans, { text: kept, className }]
    this.open = { number: this.open.number, spans }
  }

  private endLine(): void {
    this.closed.push(this.open)
    this.open = { number: this.open.number + 1, spans: [] }
    this.openChars = 0
    this.returned = false
    const over = this.closed.length - MAX_LINES
    if (over > 0) {
      this.closed.splice(0, over)
      this.dropped += over
    }
  }
}

function penClass(pen: Pen): string {
  return [pen.colour && `ansi-${pen.colour}`, pen.bold && 'ansi-bold', pen.dim && 'ansi-dim'].filter(Boolean).join(' ')
}

/** The pen after `ESC [ parameters m`. Colours beyond the sixteen are read over, not guessed. */
function colour(pen: Pen, parameters: string): Pen {
  const codes = parameters.split(/[;:]/).map((code) => Number(code || 0))
  let next = pen
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i] ?? 0
    if (code === 38 || code === 48) i += codes[i + 1] === 5 ? 2 : 4
    else next = applyCode(next, code)
  }
  return next
}

function applyCode(pen: Pen, code: number): Pen {
  if (code === 0) return plainPen()
  if (code === 1) return { ...pen, bold: true }
  if (code === 2) return { ...pen, dim: true }
  if (code === 22) return { ...pen, bold: false, dim: false }
  if (code === 39) return { ...pen, colour: '' }
  const named = COLOURS[code >= 90 ? code - 90 : code - 30]
  return named ? { ...pen, colour: named } : pen
}
