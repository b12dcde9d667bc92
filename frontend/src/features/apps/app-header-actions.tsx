import { useNavigate } from '@tanstack/react-router'
import { ChevronDown, CloudDownload, EllipsisVertical, Pencil, RotateCw, Square, Timer, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { useDeleteApp } from '@/api/apps'
import type { App } from '@/api/types'
import { Extend, isGoing, isUp, StartStop, useActions } from '@/components/app-actions'
import { AppDialog } from '@/components/app-dialog'
import { Confirm } from '@/components/confirm'
import { Button } from '@/components/ui/button'
import { Menu, MenuItem, MenuSeparator } from '@/components/ui/menu'
import { formatMinutes } from '@/lib/time'
import { StartDialog } from './start-dialog'

type Props = { app: App; mayOperate: boolean; mayMaintain: boolean }

export function AppHeaderActions({ app, mayOperate, mayMaintain }: Props) {
  const { run, busy } = useActions(app)
  const still = busy || isGoing(app)
  return (
    <>
      {mayOperate && isUp(app) && app.stopAt && <Extend app={app} size="md" />}
      {mayOperate && isUp(app) && (
        <Button disabled={still} onClick={() => run('restart')}>
          <RotateCw />
          Restart
        </Button>
      )}
      {mayOperate && (
        <div className="flex">
          <StartStop app={app} size="md" />
          {!isUp(app) && app.status !== 'stopping' && <StartFor app={app} disabled={still} />}
        </div>
      )}
      {(mayOperate || mayMaintain) && <More app={app} mayOperate={mayOperate} mayMaintain={mayMaintain} />}
    </>
  )
}

const TIMES = [30, 60, 120, 480, 0]

/** Start with another time than the app's own. */
function StartFor({ app, disabled }: { app: App; disabled: boolean }) {
  const { run } = useActions(app)
  const [other, setOther] = useState(false)
  return (
    <>
      <Menu
        trigger={
          <Button variant="primary" className="ml-px px-1.5" disabled={disabled} aria-label="Start with another time">
            <ChevronDown />
          </Button>
        }
      >
        {TIMES.map((minutes) => (
          <MenuItem key={minutes} onSelect={() => run('start', minutes)}>
            {minutes === 0 ? 'Start without auto-stop' : `Start for ${formatMinutes(minutes)}`}
          </MenuItem>
        ))}
        <MenuSeparator />
        <MenuItem onSelect={() => setOther(true)}>
          <Timer />
          Another time…
        </MenuItem>
      </Menu>
      <StartDialog
        open={other}
        onOpenChange={setOther}
        initial={app.autoStopTimeout}
        onStart={(minutes) => run('start', minutes)}
      />
    </>
  )
}

function More({ app, mayOperate, mayMaintain }: Props) {
  const { run } = useActions(app)
  const navigate = useNavigate()
  const remove = useDeleteApp(app.id)
  const [open, setOpen] = useState<'edit' | 'delete' | null>(null)
  return (
    <>
      <Menu
        trigger={
          <Button variant="ghost" size="icon" className="size-8" aria-label="More">
            <EllipsisVertical />
          </Button>
        }
      >
        {mayOperate && !isUp(app) && app.services.total > 0 && (
          <MenuItem disabled={isGoing(app)} onSelect={() => run('stop')}>
            <Square />
            Stop and clear away
          </MenuItem>
        )}
        {mayOperate && (
          <MenuItem disabled={isGoing(app)} onSelect={() => run('pull')}>
            <CloudDownload />
            Pull images
          </MenuItem>
        )}
        {mayMaintain && (
          <>
            <MenuItem onSelect={() => setOpen('edit')}>
              <Pencil />
              Edit…
            </MenuItem>
            <MenuSeparator />
            <MenuItem danger onSelect={() => setOpen('delete')}>
              <Trash2 />
              Delete…
            </MenuItem>
          </>
        )}
      </Menu>
      <AppDialog open={open === 'edit'} onOpenChange={() => setOpen(null)} app={app} />
      <Confirm
        open={open === 'delete'}
        onOpenChange={() => setOpen(null)}
        title={`Delete ${app.name}?`}
        action="Delete app"
        danger
        onConfirm={async () => {
          await remove.mutateAsync()
          void navigate({ to: '/apps' })
        }}
      >
        <p>Quaymaster forgets the app and its operations. Nothing is stopped or removed on the server.</p>
      </Confirm>
    </>
  )
}
