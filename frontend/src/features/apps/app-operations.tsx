import { useInfiniteQuery } from '@tanstack/react-query'
import { History } from 'lucide-react'
import type { ReactNode } from 'react'
import { operationsQuery } from '@/api/operations'
import type { App } from '@/api/types'
import { EmptyState } from '@/components/empty-state'
import { Load } from '@/components/load'
import { LoadMore } from '@/components/load-more'
import { OperationOutput } from '@/components/operation-output'
import { OperationsTable } from '@/components/operations-table'
import { Panel } from '@/components/page'
import { useNames } from '@/components/use-names'
import { usePolling } from '@/live/live'

const PAGE = 10

/** The output of the newest operation, live while it runs; what is given; and the operations before. */
export function AppOperations({ app, children }: { app: App; children: ReactNode }) {
  const names = useNames()
  const polling = usePolling(2_000)
  const list = useInfiniteQuery({ ...operationsQuery({ appId: app.id }, PAGE), refetchInterval: polling })
  const operations = list.data?.pages.flatMap((page) => page.items)
  const newest = operations?.[0]
  return (
    <>
      {newest && <OperationOutput key={newest.id} operation={newest} />}
      {children}
      <Panel title="Operations">
        <Load query={{ ...list, data: operations }}>
          {(found) =>
            found.length > 0 ? (
              <>
                <OperationsTable operations={found} names={names} ofOneApp />
                <LoadMore {...list} />
              </>
            ) : (
              <EmptyState icon={History} title="Nothing was done yet">
                Every start and stop is kept here with its output.
              </EmptyState>
            )
          }
        </Load>
      </Panel>
    </>
  )
}
