import { describe, expect, it } from 'vitest'
import { SseParser } from './sse'

describe('SseParser', () => {
  it('puts an event together from pieces cut anywhere', () => {
    const text = 'id: 7\nevent: app.status\ndata: {"a":\ndata: 1}\n\n'
    for (let cut = 0; cut <= text.length; cut += 1) {
      const parser = new SseParser()
      const events = [...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))]
      expect(events).toEqual([{ id: '7', name: 'app.status', data: '{"a":\n1}' }])
    }
  })

  it('takes CR LF line ends, also when cut between the two', () => {
    const parser = new SseParser()
    expect([...parser.push('data: x\r'), ...parser.push('\n\r'), ...parser.push('\n')]).toHaveLength(1)
  })

  it('says nothing for comments and events without data', () => {
    expect(new SseParser().push(': keep-alive\n\nevent: x\n\n')).toEqual([])
  })

  it('keeps the last id for events that carry none', () => {
    const parser = new SseParser()
    parser.push('id: 3\ndata: a\n\n')
    expect(parser.push('data: b\n\n')[0]?.id).toBe('3')
  })
})
