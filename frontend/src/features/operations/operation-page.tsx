import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { appQuery } from '@/api/apps'
import { operationQuery } from '@/api/operations'
import { canOperate } from '@/api/rights'
import { useUser } from '@/api/session'
import type { Operation } from '@/api/types'
import { ACTION_NAMES, outcome, requester } from '@/components/action-names'
import { Age, Elapsed } from '@/components/age'
import { Copy } from '@/components/copy'
import { Load } from '@/components/load'
import { OperationOutput } from '@/components/operation-output'
import { Facts, Page, Panel } from '@/components/page'
import { StatusBadge } from '@/components/status-badge'
import { useNames } from '@/components/use-names'
import { usePolling } from '@/live/live'

const route = getRouteApi('/_in/operations/$operationId')
const CRUMBS = [{ label: 'Operations', to: '/operations' }]

export function OperationPage() {
  const { operationId } = route.useParams()
  const operation = useQuery({ ...operationQuery(operationId), refetchInterval: usePolling(2_000) })
  if (operation.data) return <OperationView operation={operation.data} />
  return (
    <Page title="Operation" crumbs={CRUMBS}>
      <Panel>
        <Load query={operation}>{() => null}</Load>
      </Panel>
    </Page>
  )
}

function OperationView({ operation }: { operation: Operation }) {
  const user = useUser()
  const names = useNames()
  const app = useQuery(appQuery(operation.appId)).data
  const mayCancel = canOperate(user, app && names.projectOf(app.projectId))
  return (
    <Page
      title={`${ACTION_NAMES[operation.action]} ${names.app(operation.appId)}`}
      crumbs={CRUMBS}
      lead={
        <>
          <StatusBadge status={operation.state} of="operation" reason={outcome(operation)} />
          {operation.error && operation.exitCode !== null && <p className="break-words">{operation.error.detail}</p>}
        </>
      }
    >
      <div className="grid gap-4 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <OperationOutput key={operation.id} operation={operation} tall mayCancel={mayCancel} />
        <Panel title="About" className="self-start">
          <OperationFacts operation={operation} names={names} />
        </Panel>
      </div>
    </Page>
  )
}

function OperationFacts({ operation, names }: { operation: Operation; names: ReturnType<typeof useNames> }) {
  const link = 'rounded text-accent hover:underline'
  return (
    <Facts
      facts={[
        {
          label: 'App',
          value: (
            <Link to="/apps/$appId" params={{ appId: operation.appId }} className={link}>
              {names.app(operation.appId)}
            </Link>
          ),
        },
        {
          label: 'Server',
          value: (
            <Link to="/servers/$serverId" params={{ serverId: operation.serverId }} className={link}>
              {names.server(operation.serverId)}
            </Link>
          ),
        },
        { label: 'Asked by', value: requester(operation) },
        { label: 'Asked', value: <Age at={operation.createdAt} /> },
        { label: 'Took', value: <Elapsed from={operation.startedAt} to={operation.finishedAt} /> },
        { label: 'Exit code', value: <span className="nums">{operation.exitCode ?? '–'}</span> },
        {
          label: 'Id',
          value: (
            <span className="flex items-start gap-1">
              <code className="min-w-0 break-all font-mono text-xs leading-5">{operation.id}</code>
              <span className="-my-1">
                <Copy text={operation.id} label="Copy the id" />
              </span>
            </span>
          ),
        },
      ]}
    />
  )
}
