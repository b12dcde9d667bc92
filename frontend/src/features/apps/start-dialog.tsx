import { useState } from 'react'
import { Button } from '@/components/ui/button'
import { Dialog, DialogForm } from '@/components/ui/dialog'
import { Field, Input } from '@/components/ui/field'

type Props = {
  open: boolean
  onOpenChange: (open: boolean) => void
  initial: number
  onStart: (minutes: number) => void
}

const MAX_MINUTES = 525_600

export function StartDialog({ open, onOpenChange, initial, onStart }: Props) {
  const [text, setText] = useState(String(initial || 60))
  const minutes = Number(text)
  const good = text.trim() !== '' && Number.isInteger(minutes) && minutes >= 0 && minutes <= MAX_MINUTES
  const submit = () => {
    if (!good) return
    onOpenChange(false)
    onStart(minutes)
  }
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="Start for a time" description="For this run only.">
      <DialogForm
        onSubmit={submit}
        footer={
          <>
            <Button onClick={() => onOpenChange(false)}>Cancel</Button>
            <Button type="submit" variant="primary" disabled={!good}>
              Start
            </Button>
          </>
        }
      >
        <Field label="Minutes" hint="0 for no auto-stop." error={good ? undefined : 'A whole number from 0 to 525600.'}>
          <Input
            type="number"
            autoFocus
            min={0}
            max={MAX_MINUTES}
            inputMode="numeric"
            value={text}
            onChange={(e) => setText(e.target.value)}
          />
        </Field>
      </DialogForm>
    </Dialog>
  )
}
