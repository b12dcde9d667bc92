import { useQuery } from '@tanstack/react-query'
import { ScrollText } from 'lucide-react'
import { useState } from 'react'
import { servicesQuery } from '@/api/apps'
import type { App } from '@/api/types'
import { OutputPanel } from '@/components/output-panel'
import { Panel } from '@/components/page'
import { Button } from '@/components/ui/button'
import { Select } from '@/components/ui/field'
import { baseUrl } from '@/lib/base'

const TAIL_LINES = 200

/** What the containers print, followed while somebody looks: a channel on the server is open as long. */
export function AppLogs({ app }: { app: App }) {
  const [open, setOpen] = useState(false)
  const [service, setService] = useState('')
  const services = useQuery(servicesQuery(app.id)).data ?? []
  if (!open)
    return (
      <Panel
        title="Logs"
        aside={
          <Button size="sm" variant="ghost" onClick={() => setOpen(true)}>
            <ScrollText />
            Follow the logs
          </Button>
        }
      >
        {null}
      </Panel>
    )
  const query = new URLSearchParams({ follow: 'true', tail: String(TAIL_LINES), ...(service && { service }) })
  const choose = (
    <>
      <Select
        aria-label="Service"
        className="h-7 w-36 text-xs"
        value={service}
        onChange={(event) => setService(event.target.value)}
      >
        <option value="">All services</option>
        {[...new Set(services.map((each) => each.service))].map((name) => (
          <option key={name}>{name}</option>
        ))}
      </Select>
      <Button size="sm" variant="ghost" onClick={() => setOpen(false)}>
        Close
      </Button>
    </>
  )
  return (
    <OutputPanel
      key={service}
      url={`${baseUrl}/api/apps/${app.id}/logs?${query}`}
      title="Logs"
      aside={choose}
      empty="Nothing was logged."
    />
  )
}
