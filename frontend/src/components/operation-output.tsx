import { isOver, useCancelOperation } from '@/api/operations'
import type { Operation } from '@/api/types'
import { baseUrl } from '@/lib/base'
import { ACTION_NAMES } from './action-names'
import { Confirm } from './confirm'
import { OutputPanel } from './output-panel'
import { StatusBadge } from './status-badge'
import { Button } from './ui/button'

type Props = { operation: Operation; tall?: boolean; mayCancel?: boolean }

/** What one operation printed; give it the operation's id as its key. */
export function OperationOutput({ operation, tall, mayCancel = true }: Props) {
  return (
    <OutputPanel
      url={`${baseUrl}/api/operations/${operation.id}/output`}
      title={
        <span className="flex items-center gap-3">
          {ACTION_NAMES[operation.action]} output
          <StatusBadge status={operation.state} of="operation" className="font-normal" />
        </span>
      }
      aside={
        mayCancel &&
        !isOver(operation) &&
        (operation.cancelRequestedAt ? <span className="px-2">Cancelling…</span> : <Cancel operation={operation} />)
      }
      empty="It printed nothing."
      size={tall ? 'tall' : isOver(operation) ? 'fitting' : 'fixed'}
    />
  )
}

function Cancel({ operation }: { operation: Operation }) {
  const cancel = useCancelOperation(operation.id)
  return (
    <Confirm
      trigger={<Button size="sm">Cancel…</Button>}
      title={`Cancel this ${ACTION_NAMES[operation.action].toLowerCase()}?`}
      action="End the command"
      danger
      dismiss="Let it run"
      onConfirm={() => cancel.mutateAsync()}
    >
      <p>The command on the server is ended where it is. Some containers may be up and others not.</p>
    </Confirm>
  )
}
