import { getRouteApi, useRouter } from '@tanstack/react-router'
import { type FormEvent, useEffect, useState } from 'react'
import { asProblem } from '@/api/problem'
import { useSignIn } from '@/api/session'
import { ProblemNote } from '@/components/error-state'
import { Logo } from '@/components/logo'
import { Button } from '@/components/ui/button'
import { Field, Input } from '@/components/ui/field'
import { basePath } from '@/lib/base'
import { safeNext } from './safe-next'

const route = getRouteApi('/sign-in')

export function SignInPage() {
  const { next } = route.useSearch()
  const router = useRouter()
  const signIn = useSignIn()
  const [username, setUsername] = useState('')
  const [password, setPassword] = useState('')
  useEffect(() => {
    document.title = 'Sign in · Quaymaster'
  }, [])
  const submit = (event: FormEvent) => {
    event.preventDefault()
    signIn.mutate(
      { username: username.trim(), password },
      { onSuccess: () => router.history.push(`${basePath}${safeNext(next)}`), onError: () => setPassword('') },
    )
  }
  const fields = signIn.error ? asProblem(signIn.error).fields : {}
  return (
    <main className="grid min-h-dvh place-items-center px-4 pb-[12vh]">
      <div className="w-full max-w-80">
        <div className="mb-8 flex items-center gap-2.5">
          <Logo className="size-7 text-accent" />
          <h1 className="font-semibold text-xl tracking-tight">Quaymaster</h1>
        </div>
        <form onSubmit={submit} className="grid gap-4" noValidate>
          <Field label="Username or e-mail" error={fields.username}>
            <Input
              name="username"
              autoComplete="username"
              autoCapitalize="none"
              autoFocus
              value={username}
              onChange={(event) => setUsername(event.target.value)}
            />
          </Field>
          <Field label="Password" error={fields.password}>
            <Input
              name="password"
              type="password"
              autoComplete="current-password"
              value={password}
              onChange={(event) => setPassword(event.target.value)}
            />
          </Field>
          <ProblemNote error={signIn.error} />
          <Button type="submit" variant="primary" pending={signIn.isPending} disabled={!username.trim() || !password}>
            Sign in
          </Button>
        </form>
      </div>
    </main>
  )
}
