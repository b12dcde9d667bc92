import { useTestServer } from '@/api/servers'
import type { Server } from '@/api/types'
import { ProblemNote } from '@/components/error-state'
import { Panel } from '@/components/page'
import { Button } from '@/components/ui/button'
import { TestSteps } from './test-steps'

/** Connects step by step, and says which step fails and why. */
export function TestPanel({ server, mayTest }: { server: Server; mayTest: boolean }) {
  const test = useTestServer(server.id)
  if (!mayTest) return null
  const run = (
    <Button size="sm" variant="ghost" pending={test.isPending} onClick={() => test.mutate()}>
      {test.data ? 'Test again' : 'Test the connection'}
    </Button>
  )
  return (
    <Panel title="Connection" aside={run}>
      <div className="p-4">
        {test.isPending || test.data ? (
          <TestSteps report={test.data} pending={test.isPending} />
        ) : (
          !test.error && (
            <p className="text-ink-2">
              A test goes through every step from the network to compose, and says how to mend what fails.
            </p>
          )
        )}
        <ProblemNote error={test.error} />
      </div>
    </Panel>
  )
}
