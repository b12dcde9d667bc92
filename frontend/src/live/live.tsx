import { useQueryClient } from '@tanstack/react-query'
import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from 'react'
import { takeOwnOperation } from '@/api/own-operations'
import { baseUrl } from '@/lib/base'
import { EventApplier, parseEvent } from './apply'
import { LiveConnection, type LiveState } from './connection'

const LiveContext = createContext<LiveConnection | null>(null)

type Props = {
  children: ReactNode
  /** An operation that was asked for in this tab has come to a bad end. */
  onOwnFailure: (operationId: string, state: string) => void
}

/** Keeps the page true while somebody is signed in. */
export function LiveProvider({ children, onOwnFailure }: Props) {
  const queryClient = useQueryClient()
  const [connection] = useState(() => {
    const applier = new EventApplier(queryClient)
    return new LiveConnection(`${baseUrl}/api/events`, {
      onGap: () => applier.refetchAll(),
      onEvent: ({ name, data }) => {
        const event = parseEvent(name, data)
        if (!event) return
        applier.apply(event)
        if (event.kind !== 'operation.state' || event.state === 'queued' || event.state === 'running') return
        if (takeOwnOperation(event.operationId) && event.state !== 'succeeded')
          onOwnFailure(event.operationId, event.state)
      },
    })
  })
  useEffect(() => connection.start(), [connection])
  return <LiveContext value={connection}>{children}</LiveContext>
}

const ENDED: LiveState = { phase: 'ended', since: 0, heardAt: 0 }
const noSubscription = () => () => {}

export function useLive(): LiveState & { wake: () => void } {
  const connection = useContext(LiveContext)
  const state = useSyncExternalStore(connection?.subscribe ?? noSubscription, connection?.snapshot ?? (() => ENDED))
  return { ...state, wake: connection?.wake ?? (() => {}) }
}

/** How often to ask when nothing tells of changes by itself. */
export function usePolling(everyMs = 5_000): number | false {
  return useLive().phase === 'live' ? false : everyMs
}
