import { expect, it } from 'vitest'
import { webAddress } from './safe-url'

it('links to the web only', () => {
  expect(webAddress('http://10.0.0.1:8080/x')).toBe('http://10.0.0.1:8080/x')
  expect(webAddress('javascript:alert(1)')).toBeNull()
  expect(webAddress('data:text/html,x')).toBeNull()
  expect(webAddress(null)).toBeNull()
})
