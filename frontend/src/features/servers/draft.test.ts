import { expect, it } from 'vitest'
import { credentialOf, draftOf, inputOf, isComplete, updateOf } from './draft'

const draft = { ...draftOf(), name: ' Quay ', address: '10.0.0.1 ' }

it('sends what was typed without the spaces around it', () => {
  expect(inputOf(draft)).toEqual({
    name: 'Quay',
    address: '10.0.0.1',
    sshUser: 'root',
    sshPort: 22,
    credential: { kind: 'generated' },
    hostKeyPolicy: 'ask',
  })
})

it('does not touch the credential when it is kept', () => {
  expect(updateOf({ ...draft, kind: 'keep', password: 'left over' })).not.toHaveProperty('credential')
})

it('gives a pasted key its last line end back and leaves an empty passphrase out', () => {
  expect(credentialOf({ ...draft, kind: 'privateKey', privateKey: '\nKEY\n\n' })).toEqual({
    kind: 'privateKey',
    privateKey: 'KEY\n',
  })
})

it.each([
  ['no name', { name: '' }],
  ['port 0', { sshPort: '0' }],
  ['port 65536', { sshPort: '65536' }],
  ['port of letters', { sshPort: 'ssh' }],
  ['no key', { kind: 'privateKey' as const }],
  ['no password', { kind: 'password' as const }],
])('is not complete with %s', (_, change) => {
  expect(isComplete({ ...draft, ...change })).toBe(false)
})
