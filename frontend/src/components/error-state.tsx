import { CloudOff, LockKeyhole, SearchX, TriangleAlert } from 'lucide-react'
import { asProblem } from '@/api/problem'
import { cn } from '@/lib/cn'
import { Button } from './ui/button'

function face(status: number) {
  if (status === 0) return { icon: CloudOff, title: 'Quaymaster does not answer' }
  if (status === 403) return { icon: LockKeyhole, title: 'You may not see this' }
  if (status === 404) return { icon: SearchX, title: 'Not found' }
  return { icon: TriangleAlert, title: 'This did not work' }
}

/** In place of what could not be loaded: what is wrong, under which id it was logged, and another try. */
export function ErrorState({
  error,
  onRetry,
  className,
}: {
  error: unknown
  onRetry?: () => void
  className?: string
}) {
  const problem = asProblem(error)
  const { icon: Icon, title } = face(problem.status)
  const detail = problem.status === 404 ? 'It does not exist, or it is not yours to see.' : problem.message
  return (
    <div role="alert" className={cn('grid justify-items-center gap-1 px-6 py-14 text-center', className)}>
      <Icon className="mb-2 size-5 text-ink-3" aria-hidden />
      <p className="font-medium text-base">{title}</p>
      <p className="max-w-md text-ink-2">{detail}</p>
      <p className="mt-1 font-mono text-ink-3 text-xs">
        {problem.code}
        {problem.requestId && <> · request {problem.requestId}</>}
      </p>
      {onRetry && problem.status !== 403 && problem.status !== 404 && (
        <Button className="mt-4" onClick={onRetry}>
          Try again
        </Button>
      )}
    </div>
  )
}

/** The same in one line, inside a form: why the server refused. */
export function ProblemNote({ error }: { error: unknown }) {
  if (!error) return null
  const problem = asProblem(error)
  // What was typed is to be mended by who typed it: nobody needs to look it up in a log.
  const isTyping = problem.status === 401 || problem.status === 422
  return (
    <div role="alert" className="rounded-md border border-bad/30 bg-bad-wash px-3 py-2">
      <p className="text-ink">{problem.message}</p>
      {!isTyping && (
        <p className="mt-0.5 break-all font-mono text-ink-2 text-xs">
          {problem.code}
          {problem.requestId && <> · request {problem.requestId}</>}
        </p>
      )}
    </div>
  )
}
