import { describe, expect, it } from 'vitest'
import { MAX_LINE_CHARS, MAX_LINES, OutputBuffer } from './ansi'

function read(...chunks: string[]): OutputBuffer {
  const buffer = new OutputBuffer()
  for (const chunk of chunks) buffer.write(chunk)
  return buffer
}

describe('OutputBuffer', () => {
  it('keeps colours as class names and text as text', () => {
    const [line] = read('\x1b[32mdone\x1b[0m <b>x</b>\n').lines()
    expect(line?.spans).toEqual([
      { text: 'done', className: 'ansi-green' },
      { text: ' <b>x</b>', className: '' },
    ])
  })

  it('joins a sequence that was cut between two chunks', () => {
    const buffer = read('a\x1b[3', '1mb')
    expect(buffer.lines()[0]?.spans.at(-1)).toEqual({ text: 'b', className: 'ansi-red' })
  })

  it('drops what would move the cursor, set a title or ring', () => {
    expect(read('\x1b]0;title\x07a\x1b[2Ab\x07c\x1b[?25l').text()).toBe('abc')
  })

  it('lets a progress line replace itself, and keeps lines that end in CR LF', () => {
    expect(read('10%\r20%\r30%\ndone\r\n').text()).toBe('30%\ndone')
  })

  it('reads over colours that it has no name for', () => {
    expect(read('\x1b[38;5;196;1mx').lines()[0]?.spans).toEqual([{ text: 'x', className: 'ansi-bold' }])
  })

  it('is bounded in lines and in the length of a line', () => {
    const buffer = read('x'.repeat(MAX_LINE_CHARS * 3), '\n'.repeat(MAX_LINES + 9))
    expect(buffer.lines()).toHaveLength(MAX_LINES)
    expect(buffer.dropped).toBe(9)
    expect(read('x'.repeat(MAX_LINE_CHARS * 3)).text()).toHaveLength(MAX_LINE_CHARS)
  })

  it('does not hold text back for an escape that never ends', () => {
    expect(read(`\x1b[${'1;'.repeat(300)}`, 'x').text()).toContain('x')
  })
})
