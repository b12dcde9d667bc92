import {
  Ban,
  CircleCheck,
  CircleDashed,
  CircleHelp,
  CircleMinus,
  CirclePlay,
  CircleX,
  LoaderCircle,
  type LucideIcon,
  TriangleAlert,
} from 'lucide-react'
import type { AppState, OperationState, ServerState } from '@/api/types'
import { cn } from '@/lib/cn'

type Status = AppState | ServerState | OperationState
type Face = { label: string; icon: LucideIcon; tone: string; spin?: boolean }

/** Every state has its own shape as well as its colour. */
const FACES: Record<Status, Face> = {
  online: { label: 'Online', icon: CircleCheck, tone: 'text-good' },
  running: { label: 'Running', icon: CirclePlay, tone: 'text-good' },
  succeeded: { label: 'Succeeded', icon: CircleCheck, tone: 'text-good' },
  starting: { label: 'Starting', icon: LoaderCircle, tone: 'text-busy', spin: true },
  stopping: { label: 'Stopping', icon: LoaderCircle, tone: 'text-busy', spin: true },
  queued: { label: 'Queued', icon: CircleDashed, tone: 'text-busy' },
  degraded: { label: 'Degraded', icon: TriangleAlert, tone: 'text-warn' },
  lost: { label: 'Lost', icon: CircleHelp, tone: 'text-warn' },
  offline: { label: 'Offline', icon: CircleX, tone: 'text-bad' },
  error: { label: 'Error', icon: CircleX, tone: 'text-bad' },
  failed: { label: 'Failed', icon: CircleX, tone: 'text-bad' },
  stopped: { label: 'Stopped', icon: CircleMinus, tone: 'text-ink-3' },
  cancelled: { label: 'Cancelled', icon: Ban, tone: 'text-ink-3' },
  unknown: { label: 'Unknown', icon: CircleHelp, tone: 'text-ink-3' },
}

type Props = { status: Status; reason?: string | null; className?: string; of?: 'operation' }

/** A state with its reason. A running operation is work under way, a running app is all well. */
export function StatusBadge({ status, reason, className, of }: Props) {
  const face = of === 'operation' && status === 'running' ? { ...FACES.starting, label: 'Running' } : FACES[status]
  const Icon = face.icon
  return (
    <span
      className={cn(
        'inline-flex min-w-0 max-w-full items-center gap-x-1.5 align-bottom @max-[36rem]:flex-wrap',
        className,
      )}
    >
      <Icon className={cn('size-3.5 shrink-0', face.tone, face.spin && 'animate-spin')} aria-hidden />
      <span className="shrink-0">{face.label}</span>
      {reason && (
        <span
          className="min-w-0 truncate text-ink-3 @max-[36rem]:basis-full @max-[36rem]:pl-5 @max-[36rem]:text-xs @max-[36rem]:leading-4"
          title={reasonText(reason)}
        >
          {reasonText(reason)}
        </span>
      )}
    </span>
  )
}

const REASONS: Record<string, string> = {
  dns: 'name not found',
  tcp_refused: 'connection refused',
  tcp_timeout: 'no answer',
  host_key_unknown: 'host key not trusted yet',
  host_key_changed: 'host key changed',
  auth_failed: 'sign-in refused',
  docker_missing: 'Docker not installed',
  docker_denied: 'no right to use Docker',
  docker_down: 'Docker not running',
  timeout: 'timed out',
}

/** A reason code in words; a reason that is words already, as it is. */
export function reasonText(reason: string): string {
  return REASONS[reason] ?? reason.replaceAll('_', ' ')
}
