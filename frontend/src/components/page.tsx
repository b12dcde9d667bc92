import { Link } from '@tanstack/react-router'
import { ChevronRight } from 'lucide-react'
import { type ReactNode, useEffect } from 'react'
import { cn } from '@/lib/cn'

/** A step on the way here. Paths are few and known; `params` are in the text already. */
export type Crumb = { label: string; to: string }

type Props = { title: string; crumbs?: Crumb[]; lead?: ReactNode; actions?: ReactNode; children: ReactNode }

/** What every page has: where it is, its title, what can be done, and its content. */
export function Page({ title, crumbs = [], lead, actions, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Quaymaster`
  }, [title])
  return (
    <div className="mx-auto w-full max-w-[84rem] px-4 pt-5 pb-16 md:px-8">
      <header className="mb-5 flex min-h-8 flex-wrap items-start gap-x-4 gap-y-3">
        <div className="min-w-0 flex-1 basis-40">
          {crumbs.length > 0 && (
            <nav aria-label="Breadcrumb" className="mb-1 flex items-center gap-1 text-ink-3 text-xs">
              {crumbs.map((crumb) => (
                <span key={crumb.to} className="flex min-w-0 items-center gap-1">
                  <Link to={crumb.to} className="truncate rounded hover:text-ink">
                    {crumb.label}
                  </Link>
                  <ChevronRight className="size-3 shrink-0" aria-hidden />
                </span>
              ))}
            </nav>
          )}
          <h1 className="truncate font-semibold text-lg leading-7 tracking-[-0.01em]">{title}</h1>
          {lead && <div className="mt-1 text-ink-2">{lead}</div>}
        </div>
        {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </header>
      {children}
    </div>
  )
}

/** A framed part of a page. */
export function Panel({
  title,
  aside,
  children,
  className,
}: {
  title?: ReactNode
  aside?: ReactNode
  children: ReactNode
  className?: string
}) {
  return (
    <section className={cn('min-w-0 overflow-hidden rounded-lg border border-line bg-surface', className)}>
      {title && (
        <header className="flex min-h-11 flex-wrap items-center gap-x-3 gap-y-1 border-line border-b px-4 py-1.5">
          <h2 className="font-medium text-sm">{title}</h2>
          {aside && <div className="ml-auto flex min-w-0 items-center gap-1 text-ink-2">{aside}</div>}
        </header>
      )}
      {children}
    </section>
  )
}

export type Fact = { label: string; value: ReactNode }

/** Names and values, in one column or two. */
export function Facts({ facts }: { facts: Fact[] }) {
  return (
    <dl className="grid gap-x-8 px-4 py-2">
      {facts.map(({ label, value }) => (
        <div key={label} className="grid grid-cols-[6.5rem_minmax(0,1fr)] gap-3 py-1.5">
          <dt className="text-ink-3">{label}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  )
}
