import { expect, it } from 'vitest'
import { keyState } from './fingerprints'

const pinned = { algorithm: 'ssh-ed25519', fingerprint: 'SHA256:a', trustedAt: 1 }
const offered = (fingerprint: string) => ({ algorithm: 'ssh-ed25519', fingerprint })

it('tells where a host key stands', () => {
  expect(keyState({ hostKey: null, offeredHostKey: null })).toBe('none')
  expect(keyState({ hostKey: null, offeredHostKey: offered('SHA256:a') })).toBe('unknown')
  expect(keyState({ hostKey: pinned, offeredHostKey: null })).toBe('trusted')
  expect(keyState({ hostKey: pinned, offeredHostKey: offered('SHA256:a') })).toBe('trusted')
  expect(keyState({ hostKey: pinned, offeredHostKey: offered('SHA256:b') })).toBe('changed')
})
