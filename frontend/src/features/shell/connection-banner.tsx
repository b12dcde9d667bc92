import { useEffect, useState } from 'react'
import { Age } from '@/components/age'
import { Button } from '@/components/ui/button'
import { useLive } from '@/live/live'

/** A cut that heals within this time is nobody's business. */
const GRACE_MS = 2_500

/** Says when the page is no longer live, and how old it is. */
export function ConnectionBanner() {
  const { phase, since, heardAt, wake } = useLive()
  const cut = phase === 'waiting' || phase === 'offline'
  const [late, setLate] = useState(false)
  useEffect(() => {
    setLate(false)
    if (!cut) return
    const timer = setTimeout(() => setLate(true), Math.max(0, GRACE_MS - (Date.now() - since)))
    return () => clearTimeout(timer)
  }, [cut, since])
  return (
    <div role="status" className="sticky top-12 z-20 md:top-0">
      {cut && late && (
        <div className="flex flex-wrap items-center gap-x-3 gap-y-1 border-line border-b bg-canvas px-4 py-1.5 md:px-8">
          <span className="size-1.5 animate-pulse-soft rounded-full bg-(--warn)" aria-hidden />
          <span>
            <strong className="font-medium">{phase === 'offline' ? 'You are offline.' : 'Reconnecting…'}</strong>{' '}
            <span className="text-ink-2">
              What you see is from <Age at={heardAt} />.
            </span>
          </span>
          <Button size="sm" variant="ghost" className="ml-auto" onClick={wake}>
            Try now
          </Button>
        </div>
      )}
    </div>
  )
}
