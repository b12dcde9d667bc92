import { Check, CopyIcon } from 'lucide-react'
import { useState } from 'react'
import { Button } from './ui/button'
import { toast } from './ui/toast'

const SHOWN_MS = 1_500

/** Works without a secure context too, where the clipboard API is missing. */
async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text)
  const area = document.createElement('textarea')
  area.value = text
  document.body.append(area)
  area.select()
  const done = document.execCommand('copy')
  area.remove()
  if (!done) throw new Error('the browser refused')
}

export function Copy({
  text,
  label = 'Copy',
  withLabel,
}: {
  text: string | (() => string)
  label?: string
  withLabel?: boolean
}) {
  const [done, setDone] = useState(false)
  const copy = async () => {
    try {
      await copyText(typeof text === 'string' ? text : text())
      setDone(true)
      setTimeout(() => setDone(false), SHOWN_MS)
    } catch {
      toast.bad('Not copied', 'The browser refused. Select the text and copy it by hand.')
    }
  }
  return (
    <Button variant="ghost" size={withLabel ? 'sm' : 'icon'} aria-label={label} onClick={() => void copy()}>
      {done ? <Check className="text-good" /> : <CopyIcon />}
      {withLabel && (done ? 'Copied' : label)}
    </Button>
  )
}

/** One line to take away, whole. */
export function CopyLine({ text, label }: { text: string; label: string }) {
  return (
    <div className="flex items-start gap-1 rounded-md border border-line bg-sunken py-1 pr-1 pl-2.5">
      <code className="min-w-0 flex-1 break-all py-1 font-mono text-xs leading-5">{text}</code>
      <Copy text={text} label={label} />
    </div>
  )
}
