import type { LucideIcon } from 'lucide-react'
import type { ReactNode } from 'react'

type Props = { icon: LucideIcon; title: string; children?: ReactNode; action?: ReactNode }

/** In place of nothing: what would be here, and the way to the first one. */
export function EmptyState({ icon: Icon, title, children, action }: Props) {
  return (
    <div className="grid justify-items-center gap-1 px-6 py-14 text-center">
      <Icon className="mb-2 size-5 text-ink-3" aria-hidden />
      <p className="font-medium text-base">{title}</p>
      {children && <p className="max-w-md text-ink-2">{children}</p>}
      {action && <div className="mt-4 flex gap-2">{action}</div>}
    </div>
  )
}
