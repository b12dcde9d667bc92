import { ChevronsUpDown, KeyRound, LogOut } from 'lucide-react'
import { useState } from 'react'
import { useSignOut, useUser } from '@/api/session'
import { Menu, MenuItem, MenuLabel, MenuRadio, MenuSeparator } from '@/components/ui/menu'
import { toast } from '@/components/ui/toast'
import { applyTheme, readTheme, type Theme } from '@/lib/theme'
import { PasswordDialog } from './password-dialog'

const THEMES: { value: Theme; label: string }[] = [
  { value: 'system', label: 'As the system' },
  { value: 'light', label: 'Light' },
  { value: 'dark', label: 'Dark' },
]

export function UserMenu() {
  const user = useUser()
  const signOut = useSignOut()
  const [theme, setTheme] = useState(readTheme)
  const [password, setPassword] = useState(false)
  const change = (next: Theme) => {
    applyTheme(next)
    setTheme(next)
  }
  const trigger = (
    <button type="button" className="flex h-10 w-full items-center gap-2.5 rounded-md px-2 text-left hover:bg-hover">
      <span
        aria-hidden
        className="grid size-6 place-items-center rounded-full bg-accent-wash font-semibold text-accent text-xs uppercase"
      >
        {user.username.slice(0, 1)}
      </span>
      <span className="min-w-0 flex-1">
        <span className="block truncate font-medium leading-4">{user.username}</span>
        <span className="block text-ink-3 text-xs leading-4">{user.role === 'admin' ? 'Administrator' : 'User'}</span>
        <span className="sr-only">your menu</span>
      </span>
      <ChevronsUpDown className="size-3.5 text-ink-3" aria-hidden />
    </button>
  )
  return (
    <>
      <Menu trigger={trigger} align="start" side="top">
        <MenuLabel>Colours</MenuLabel>
        <MenuRadio value={theme} onChange={change} options={THEMES} />
        <MenuSeparator />
        <MenuItem onSelect={() => setPassword(true)}>
          <KeyRound />
          Change password
        </MenuItem>
        <MenuItem
          onSelect={() => signOut.mutate(undefined, { onError: (thrown) => toast.problem('Not signed out', thrown) })}
        >
          <LogOut />
          Sign out
        </MenuItem>
      </Menu>
      <PasswordDialog open={password} onOpenChange={setPassword} />
    </>
  )
}
