import { expect, it } from 'vitest'
import { textOf } from './follow'

const event = (data: string) => ({ id: '', name: 'output', data })

it('reads the text of an operation, of a container, and bare text', () => {
  expect(textOf(event('{"offset":0,"data":"up\\n"}'))).toBe('up\n')
  expect(textOf(event('{"service":"api","line":"hello"}'))).toContain('hello\n')
  expect(textOf(event('plain words'))).toBe('plain words\n')
  expect(textOf(event('42'))).toBe('42\n')
})
