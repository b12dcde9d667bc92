import { cn } from '@/lib/cn'

/** Stands where text will be. Invisible for the first 150 ms, so that quick answers do not flicker. */
export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden className={cn('h-3.5 animate-late rounded bg-hover', className)} />
}

const WIDTHS = ['w-2/5', 'w-1/3', 'w-1/2', 'w-1/4', 'w-2/5', 'w-1/3']

export function SkeletonRows({ label = 'Loading' }: { label?: string }) {
  return (
    <div role="status" aria-label={label}>
      {WIDTHS.map((width, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a fixed list of equal rows
        <div key={i} className="flex h-11 items-center border-line border-b px-4 last:border-0">
          <Skeleton className={width} />
        </div>
      ))}
    </div>
  )
}
