import { X } from 'lucide-react'
import { Dialog as Radix } from 'radix-ui'
import type { FormEvent, ReactNode } from 'react'
import { cn } from '@/lib/cn'
import { Button } from './button'

type Props = {
  open: boolean
  onOpenChange: (open: boolean) => void
  title: string
  description?: ReactNode
  wide?: boolean
  children: ReactNode
}

export const OVERLAY = 'fixed inset-0 z-40 bg-black/45 animate-[pop_100ms_ease-out]'
export const PANEL = cn(
  'fixed z-50 flex flex-col overflow-hidden bg-raised shadow-pop animate-pop outline-none',
  'inset-x-0 bottom-0 max-h-[92dvh] rounded-t-xl',
  'sm:inset-x-auto sm:top-[12vh] sm:bottom-auto sm:left-1/2 sm:max-h-[80vh] sm:-translate-x-1/2 sm:rounded-xl',
)

export function Dialog({ open, onOpenChange, title, description, wide, children }: Props) {
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Portal>
        <Radix.Overlay className={OVERLAY} />
        <Radix.Content
          className={cn(PANEL, wide ? 'sm:w-[40rem]' : 'sm:w-[28rem]')}
          {...(description ? {} : { 'aria-describedby': undefined })}
        >
          <header className="flex items-start gap-4 px-5 pt-4 pb-3">
            <div className="min-w-0 flex-1">
              <Radix.Title className="font-semibold text-base">{title}</Radix.Title>
              {description && <Radix.Description className="mt-1 text-ink-2">{description}</Radix.Description>}
            </div>
            <Radix.Close asChild>
              <Button variant="ghost" size="icon" className="-mr-2" aria-label="Close">
                <X />
              </Button>
            </Radix.Close>
          </header>
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  )
}

export function DialogBody({ children, className }: { children: ReactNode; className?: string }) {
  return (
    <div className={cn('grid min-h-0 content-start gap-4 overflow-y-auto px-5 pt-1 pb-5', className)}>{children}</div>
  )
}

export function DialogFooter({ children }: { children: ReactNode }) {
  return (
    <footer className="flex flex-wrap items-center justify-end gap-2 border-line border-t bg-sunken/50 px-5 py-3">
      {children}
    </footer>
  )
}

type FormProps = { onSubmit: () => void; children: ReactNode; footer: ReactNode }

/** A form that fills a dialog: its fields scroll, its buttons stay. */
export function DialogForm({ onSubmit, children, footer }: FormProps) {
  const submit = (event: FormEvent) => {
    event.preventDefault()
    onSubmit()
  }
  return (
    <form onSubmit={submit} className="flex min-h-0 flex-col" noValidate>
      <DialogBody>{children}</DialogBody>
      <DialogFooter>{footer}</DialogFooter>
    </form>
  )
}
