import { Field, Input, Select, Textarea } from '@/components/ui/field'
import type { Draft } from './draft'

type Props = {
  draft: Draft
  onChange: (change: Partial<Draft>) => void
  errors: Readonly<Record<string, string>>
  editing?: boolean
}

/** Secrets are typed here and go out once; no answer ever brings them back. */
export function ServerFields({ draft, onChange, errors, editing }: Props) {
  return (
    <>
      <Field label="Name" error={errors.name}>
        <Input
          value={draft.name}
          maxLength={100}
          autoFocus
          placeholder="Staging 1"
          onChange={(e) => onChange({ name: e.target.value })}
        />
      </Field>
      <div className="grid grid-cols-[minmax(0,1fr)_5rem] gap-4 sm:grid-cols-[minmax(0,1fr)_9rem_5rem]">
        <Field label="Address" error={errors.address} className="max-sm:col-span-2">
          <Input
            value={draft.address}
            autoCapitalize="none"
            spellCheck={false}
            placeholder="192.168.1.100"
            onChange={(e) => onChange({ address: e.target.value })}
          />
        </Field>
        <Field label="SSH user" error={errors.sshUser}>
          <Input
            value={draft.sshUser}
            autoCapitalize="none"
            spellCheck={false}
            onChange={(e) => onChange({ sshUser: e.target.value })}
          />
        </Field>
        <Field label="Port" error={errors.sshPort}>
          <Input value={draft.sshPort} inputMode="numeric" onChange={(e) => onChange({ sshPort: e.target.value })} />
        </Field>
      </div>
      <Field label="How to sign in" error={errors.credential} hint={HINTS[draft.kind]}>
        <Select value={draft.kind} onChange={(e) => onChange({ kind: e.target.value as Draft['kind'] })}>
          {editing && <option value="keep">As until now</option>}
          <option value="generated">{editing ? 'A new key, made by Quaymaster' : 'A key made by Quaymaster'}</option>
          <option value="privateKey">A private key of mine</option>
          <option value="password">A password</option>
        </Select>
      </Field>
      <Secret draft={draft} onChange={onChange} errors={errors} />
    </>
  )
}

const HINTS: Record<Draft['kind'], string> = {
  keep: 'The sealed credential stays as it is.',
  generated: 'You get one line to put on the server. The private half never leaves Quaymaster.',
  privateKey: 'OpenSSH, PKCS#8 or PEM. It is sealed and never shown again.',
  password: 'It is sealed and never shown again.',
}

function Secret({ draft, onChange, errors }: Props) {
  if (draft.kind === 'password')
    return (
      <Field label="Password" error={errors['credential.password'] ?? errors.password}>
        <Input
          type="password"
          autoComplete="off"
          value={draft.password}
          onChange={(e) => onChange({ password: e.target.value })}
        />
      </Field>
    )
  if (draft.kind !== 'privateKey') return null
  return (
    <>
      <Field label="Private key" error={errors['credential.privateKey'] ?? errors.privateKey}>
        <Textarea
          rows={5}
          className="font-mono text-xs"
          placeholder="-----BEGIN OPENSSH PRIVATE KEY-----"
          autoComplete="off"
          value={draft.privateKey}
          onChange={(e) => onChange({ privateKey: e.target.value })}
        />
      </Field>
      <Field
        label="Passphrase"
        hint="Empty if the key has none."
        error={errors['credential.passphrase'] ?? errors.passphrase}
      >
        <Input
          type="password"
          autoComplete="off"
          value={draft.passphrase}
          onChange={(e) => onChange({ passphrase: e.target.value })}
        />
      </Field>
    </>
  )
}
