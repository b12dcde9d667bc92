import { Link } from '@tanstack/react-router'
import {
  Activity,
  Boxes,
  FolderKanban,
  LayoutDashboard,
  type LucideIcon,
  ScrollText,
  Server,
  Users,
} from 'lucide-react'
import { can, type Right } from '@/api/rights'
import { useUser } from '@/api/session'

type Item = { to: string; label: string; icon: LucideIcon; right?: Right }

const ITEMS: Item[] = [
  { to: '/', label: 'Overview', icon: LayoutDashboard },
  { to: '/apps', label: 'Apps', icon: Boxes },
  { to: '/servers', label: 'Servers', icon: Server },
  { to: '/projects', label: 'Projects', icon: FolderKanban },
  { to: '/operations', label: 'Operations', icon: Activity },
  { to: '/audit', label: 'Audit', icon: ScrollText, right: 'audit:view' },
  { to: '/users', label: 'Users', icon: Users, right: 'users:manage' },
]

export function Nav() {
  const user = useUser()
  return (
    <nav aria-label="Main" className="grid gap-0.5 px-2">
      {ITEMS.filter((item) => !item.right || can(user, item.right)).map(({ to, label, icon: Icon }) => (
        <Link
          key={to}
          to={to}
          activeOptions={{ exact: to === '/' }}
          className="flex h-8 items-center gap-2.5 rounded-md px-2 text-ink-2 hover:bg-hover hover:text-ink pointer-coarse:h-10 [&.active]:bg-hover [&.active]:font-medium [&.active]:text-ink [&.active_svg]:text-accent"
        >
          <Icon className="size-4 text-ink-3" aria-hidden />
          {label}
        </Link>
      ))}
    </nav>
  )
}
