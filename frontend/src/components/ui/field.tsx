import { type ComponentProps, createContext, type ReactNode, useContext, useId } from 'react'
import { cn } from '@/lib/cn'

const FieldContext = createContext<{ id: string; describedBy?: string; invalid: boolean } | null>(null)

type FieldProps = { label: ReactNode; hint?: ReactNode; error?: string; className?: string; children: ReactNode }

/** A label, one control, a hint, and what the server said against its value. */
export function Field({ label, hint, error, className, children }: FieldProps) {
  const id = useId()
  const noteId = `${id}-note`
  const note = error ?? hint
  return (
    <FieldContext value={{ id, describedBy: note ? noteId : undefined, invalid: Boolean(error) }}>
      <div className={cn('grid min-w-0 content-start gap-1.5', className)}>
        <label htmlFor={id} className="font-medium text-ink text-xs">
          {label}
        </label>
        {children}
        {note && (
          <p id={noteId} className={cn('text-xs', error ? 'text-bad' : 'text-ink-3')}>
            {note}
          </p>
        )}
      </div>
    </FieldContext>
  )
}

function useControl() {
  const field = useContext(FieldContext)
  return field
    ? { id: field.id, 'aria-describedby': field.describedBy, 'aria-invalid': field.invalid || undefined }
    : {}
}

const CONTROL = cn(
  'w-full min-w-0 rounded-md border border-line-strong bg-surface px-2.5 text-ink text-sm',
  'focus-visible:outline-2 focus-visible:-outline-offset-1 aria-invalid:border-bad disabled:opacity-60',
  'pointer-coarse:text-base',
)

export function Input({ className, ...rest }: ComponentProps<'input'>) {
  return (
    <input
      {...useControl()}
      autoComplete="off"
      {...rest}
      className={cn(CONTROL, 'h-8 pointer-coarse:h-9', className)}
    />
  )
}

export function Textarea({ className, ...rest }: ComponentProps<'textarea'>) {
  return <textarea {...useControl()} spellCheck={false} {...rest} className={cn(CONTROL, 'py-1.5', className)} />
}

/** The browser's own select: it works with every keyboard, screen reader and phone. */
export function Select({ className, children, ...rest }: ComponentProps<'select'>) {
  return (
    <select {...useControl()} {...rest} className={cn(CONTROL, 'h-8 pr-1 pl-2 pointer-coarse:h-9', className)}>
      {children}
    </select>
  )
}

export function Checkbox({ label, className, ...rest }: ComponentProps<'input'> & { label: ReactNode }) {
  return (
    <label className={cn('flex items-center gap-2 text-sm', className)}>
      <input type="checkbox" {...rest} className="size-4 accent-(--accent-solid)" />
      {label}
    </label>
  )
}
