import type { CredentialInput, Server, ServerInput, ServerUpdate } from '@/api/types'

/** The form of a server, as typed. `keep` leaves the sealed credential as it is. */
export type Draft = {
  name: string
  address: string
  sshUser: string
  sshPort: string
  kind: 'generated' | 'privateKey' | 'password' | 'keep'
  privateKey: string
  passphrase: string
  password: string
}

export function draftOf(server?: Server): Draft {
  return {
    name: server?.name ?? '',
    address: server?.address ?? '',
    sshUser: server?.sshUser ?? 'root',
    sshPort: String(server?.sshPort ?? 22),
    kind: server ? 'keep' : 'generated',
    privateKey: '',
    passphrase: '',
    password: '',
  }
}

export function credentialOf(draft: Draft): CredentialInput | undefined {
  switch (draft.kind) {
    case 'keep':
      return undefined
    case 'generated':
      return { kind: 'generated' }
    case 'password':
      return { kind: 'password', password: draft.password }
    case 'privateKey': {
      // Keys are pasted; many tools want the last line end that a selection loses.
      const privateKey = `${draft.privateKey.trim()}\n`
      return { kind: 'privateKey', privateKey, ...(draft.passphrase && { passphrase: draft.passphrase }) }
    }
  }
}

const connection = (draft: Draft) => ({
  address: draft.address.trim(),
  sshUser: draft.sshUser.trim(),
  sshPort: Number(draft.sshPort),
})

export function inputOf(draft: Draft): ServerInput {
  const credential = credentialOf(draft) ?? { kind: 'generated' as const }
  return { name: draft.name.trim(), ...connection(draft), credential, hostKeyPolicy: 'ask' }
}

export function updateOf(draft: Draft): ServerUpdate {
  const credential = credentialOf(draft)
  return { name: draft.name.trim(), ...connection(draft), ...(credential && { credential }) }
}

export function isComplete(draft: Draft): boolean {
  const port = Number(draft.sshPort)
  const reachable =
    draft.address.trim() !== '' && draft.sshUser.trim() !== '' && Number.isInteger(port) && port > 0 && port < 65_536
  if (draft.kind === 'privateKey' && draft.privateKey.trim() === '') return false
  if (draft.kind === 'password' && draft.password === '') return false
  return reachable && draft.name.trim() !== ''
}
