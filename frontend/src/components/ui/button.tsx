import { LoaderCircle } from 'lucide-react'
import { Slot } from 'radix-ui'
import type { ComponentProps, ReactNode } from 'react'
import { cn } from '@/lib/cn'

const VARIANTS = {
  primary: 'bg-accent-solid text-white hover:brightness-110 border border-transparent',
  secondary: 'bg-surface text-ink border border-line-strong hover:bg-sunken',
  ghost: 'text-ink-2 border border-transparent hover:bg-hover hover:text-ink',
  danger: 'bg-bad-solid text-white hover:brightness-110 border border-transparent',
} as const

const SIZES = {
  sm: 'h-7 px-2 text-xs gap-1.5',
  md: 'h-8 px-3 text-sm gap-2',
  icon: 'size-7 justify-center',
} as const

type Props = ComponentProps<'button'> & {
  variant?: keyof typeof VARIANTS
  size?: keyof typeof SIZES
  /** Shows a spinner in place of the leading icon and takes no clicks. */
  pending?: boolean
  asChild?: boolean
}

export function Button({ variant = 'secondary', size = 'md', pending, asChild, className, children, ...rest }: Props) {
  const classes = cn(
    'relative inline-flex shrink-0 select-none items-center justify-center whitespace-nowrap rounded-md font-medium',
    'transition-colors duration-75 disabled:opacity-50 [&_svg]:size-3.5 [&_svg]:shrink-0 pointer-coarse:min-h-9',
    size === 'icon' && 'pointer-coarse:min-w-9',
    VARIANTS[variant],
    SIZES[size],
    className,
  )
  if (asChild)
    return (
      <Slot.Root className={classes} {...rest}>
        {children}
      </Slot.Root>
    )
  return (
    <button
      type="button"
      className={classes}
      aria-busy={pending || undefined}
      {...rest}
      disabled={pending || rest.disabled}
    >
      {pending ? <Pending>{children}</Pending> : children}
    </button>
  )
}

/** Keeps the button's width, and its name for screen readers, while it waits. */
function Pending({ children }: { children: ReactNode }) {
  return (
    <>
      <span className="inline-flex items-center gap-[inherit] opacity-0">{children}</span>
      <LoaderCircle className="absolute animate-spin" aria-hidden />
    </>
  )
}
