import { AlertDialog } from 'radix-ui'
import { type ReactNode, useState } from 'react'
import { cn } from '@/lib/cn'
import { ProblemNote } from './error-state'
import { Button } from './ui/button'
import { DialogFooter, OVERLAY, PANEL } from './ui/dialog'

type Props = {
  trigger?: ReactNode
  open?: boolean
  onOpenChange?: (open: boolean) => void
  title: string
  children: ReactNode
  action: string
  danger?: boolean
  dismiss?: string
  /** Stays open while this runs, and shows why it failed. */
  onConfirm: () => Promise<unknown>
}

/** Asks before what cannot be undone. */
export function Confirm({
  trigger,
  open,
  onOpenChange,
  title,
  children,
  action,
  danger,
  dismiss = 'Cancel',
  onConfirm,
}: Props) {
  const [ownOpen, setOwnOpen] = useState(false)
  const [pending, setPending] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const setOpen = (next: boolean) => {
    setError(null)
    setOwnOpen(next)
    onOpenChange?.(next)
  }
  const confirm = async () => {
    setPending(true)
    setError(null)
    try {
      await onConfirm()
      setOpen(false)
    } catch (thrown) {
      setError(thrown)
    } finally {
      setPending(false)
    }
  }
  return (
    <AlertDialog.Root open={open ?? ownOpen} onOpenChange={setOpen}>
      {trigger && <AlertDialog.Trigger asChild>{trigger}</AlertDialog.Trigger>}
      <AlertDialog.Portal>
        <AlertDialog.Overlay className={OVERLAY} />
        <AlertDialog.Content className={cn(PANEL, 'sm:w-[26rem]')}>
          <div className="grid gap-3 overflow-y-auto p-5">
            <AlertDialog.Title className="font-semibold text-base">{title}</AlertDialog.Title>
            <AlertDialog.Description asChild>
              <div className="grid gap-3 text-ink-2">{children}</div>
            </AlertDialog.Description>
            <ProblemNote error={error} />
          </div>
          <DialogFooter>
            <AlertDialog.Cancel asChild>
              <Button>{dismiss}</Button>
            </AlertDialog.Cancel>
            <Button variant={danger ? 'danger' : 'primary'} pending={pending} onClick={() => void confirm()}>
              {action}
            </Button>
          </DialogFooter>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
