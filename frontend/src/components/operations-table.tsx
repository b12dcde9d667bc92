import { Link } from '@tanstack/react-router'
import type { Operation } from '@/api/types'
import { ACTION_NAMES, outcome, requester } from './action-names'
import { Age, Elapsed } from './age'
import { type Column, DataTable } from './data-table'
import { StatusBadge } from './status-badge'

type Props = {
  operations: Operation[]
  names: { app: (id: string) => string; server: (id: string) => string }
  ofOneApp?: boolean
}

/** Operations, newest first, as the server gives them. */
export function OperationsTable({ operations, names, ofOneApp }: Props) {
  const columns: Column<Operation>[] = [
    {
      id: 'what',
      header: 'Operation',
      width: 'minmax(0, 2fr)',
      cell: (operation) => (
        <Link
          to="/operations/$operationId"
          params={{ operationId: operation.id }}
          className="block truncate font-medium after:absolute after:inset-0"
        >
          {ACTION_NAMES[operation.action]}
          {!ofOneApp && <> {names.app(operation.appId)}</>}
        </Link>
      ),
    },
    {
      id: 'state',
      header: 'State',
      width: 'minmax(6.5rem, 1.4fr)',
      cell: (operation) => <StatusBadge status={operation.state} of="operation" reason={outcome(operation)} />,
    },
    {
      id: 'server',
      header: 'Server',
      width: 'minmax(0, 1fr)',
      from: 'lg',
      cell: (operation) => <span className="block truncate text-ink-2">{names.server(operation.serverId)}</span>,
    },
    {
      id: 'by',
      header: 'By',
      width: 'minmax(0, 1fr)',
      from: 'md',
      cell: (operation) => <span className="block truncate text-ink-2">{requester(operation)}</span>,
    },
    {
      id: 'took',
      header: 'Took',
      width: '5rem',
      from: 'md',
      align: 'end',
      cell: (operation) => <Elapsed from={operation.startedAt} to={operation.finishedAt} />,
    },
    {
      id: 'when',
      header: 'When',
      width: '5.5rem',
      align: 'end',
      cell: (operation) => (
        <span className="text-ink-2">
          <Age at={operation.createdAt} />
        </span>
      ),
    },
  ]
  const shown = columns.filter((column) => !ofOneApp || column.id !== 'server')
  return <DataTable label="Operations" columns={shown} rows={operations} rowKey={(operation) => operation.id} />
}
