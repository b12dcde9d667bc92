import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import type { AuditLog } from '@/api/types'
import { Age } from '@/components/age'
import { type Column, DataTable } from '@/components/data-table'
import { Facts } from '@/components/page'
import { Button } from '@/components/ui/button'
import { Dialog, DialogBody } from '@/components/ui/dialog'
import { formatMoment } from '@/lib/time'

export function AuditTable({ logs }: { logs: AuditLog[] }) {
  const [shown, setShown] = useState<AuditLog | null>(null)
  const columns: Column<AuditLog>[] = [
    {
      id: 'action',
      header: 'Action',
      width: 'minmax(0, 1.4fr)',
      cell: (log) => (
        <button
          type="button"
          onClick={() => setShown(log)}
          className="block max-w-full truncate text-left font-mono text-xs after:absolute after:inset-0"
        >
          {log.action}
        </button>
      ),
    },
    {
      id: 'who',
      header: 'Who',
      width: 'minmax(0, 1fr)',
      cell: (log) => (
        <span className="block truncate">{log.username ?? <span className="text-ink-3">{nobody(log)}</span>}</span>
      ),
    },
    {
      id: 'details',
      header: 'Details',
      width: 'minmax(0, 2.4fr)',
      from: 'md',
      cell: (log) => <span className="block truncate text-ink-2">{summary(log)}</span>,
    },
    {
      id: 'from',
      header: 'From',
      width: '8.5rem',
      from: 'lg',
      cell: (log) => <span className="nums block truncate text-ink-2">{log.ipAddress ?? '–'}</span>,
    },
    {
      id: 'when',
      header: 'When',
      width: '5.5rem',
      align: 'end',
      cell: (log) => (
        <span className="text-ink-2">
          <Age at={log.createdAt} />
        </span>
      ),
    },
  ]
  return (
    <>
      <DataTable label="Audit log" columns={columns} rows={logs} rowKey={(log) => log.id} />
      <Dialog open={shown !== null} onOpenChange={() => setShown(null)} title={shown?.action ?? ''} wide>
        {shown && <Details log={shown} />}
      </Dialog>
    </>
  )
}

/** Without a user: someone from outside who is not signed in, or Quaymaster itself. */
const nobody = (log: AuditLog) => (log.ipAddress ? 'not signed in' : 'Quaymaster')

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The details in one line: `name: Shop, timeout: 60`. */
function summary(log: AuditLog): string {
  if (!isRecord(log.details)) return log.resourceType
  const parts = Object.entries(log.details).map(
    ([key, value]) => `${key}: ${isRecord(value) ? JSON.stringify(value) : String(value)}`,
  )
  return [log.resourceType, ...parts].join(' · ')
}

function Details({ log }: { log: AuditLog }) {
  return (
    <DialogBody className="-mx-4">
      <Facts
        facts={[
          { label: 'When', value: formatMoment(log.createdAt) },
          { label: 'Who', value: log.username ?? nobody(log) },
          { label: 'From', value: log.ipAddress ?? '–' },
          { label: 'On', value: <Resource log={log} /> },
          { label: 'Request', value: <code className="break-all font-mono text-xs">{log.requestId ?? '–'}</code> },
          {
            label: 'Details',
            value: (
              <pre className="overflow-x-auto whitespace-pre-wrap break-all rounded-md bg-sunken p-2.5 font-mono text-xs leading-5">
                {JSON.stringify(log.details, null, 2)}
              </pre>
            ),
          },
        ]}
      />
      {log.resourceId && (
        <div className="px-4">
          <Button size="sm" asChild>
            <Link to="/audit" search={{ resource: log.resourceId }}>
              All entries on this {log.resourceType}
            </Link>
          </Button>
        </div>
      )}
    </DialogBody>
  )
}

function Resource({ log }: { log: AuditLog }) {
  const { resourceType, resourceId } = log
  return (
    <>
      {resourceType} {resourceId && <code className="break-all font-mono text-ink-2 text-xs">{resourceId}</code>}
    </>
  )
}
