import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { useSaveApp } from '@/api/apps'
import { asProblem } from '@/api/problem'
import { projectsQuery } from '@/api/projects'
import { canMaintain } from '@/api/rights'
import { serversQuery } from '@/api/servers'
import { useUser } from '@/api/session'
import type { App } from '@/api/types'
import { ProblemNote } from './error-state'
import { Button } from './ui/button'
import { Dialog, DialogForm } from './ui/dialog'
import { Field, Input, Select } from './ui/field'

type Props = { open: boolean; onOpenChange: (open: boolean) => void; app?: App; projectId?: string; serverId?: string }

/** Adds an app, or edits one. */
export function AppDialog({ open, onOpenChange, app, projectId, serverId }: Props) {
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={app ? `Edit ${app.name}` : 'Add app'}
      description={app ? undefined : 'A directory with a compose file, on one of your servers.'}
    >
      <AppForm app={app} projectId={projectId} serverId={serverId} onDone={() => onOpenChange(false)} />
    </Dialog>
  )
}

type FormProps = Pick<Props, 'app' | 'projectId' | 'serverId'> & { onDone: () => void }

function AppForm({ app, projectId, serverId, onDone }: FormProps) {
  const user = useUser()
  const navigate = useNavigate()
  const save = useSaveApp(app?.id)
  const projects = (useQuery(projectsQuery).data ?? []).filter((project) => canMaintain(user, project))
  const servers = useQuery(serversQuery).data ?? []
  const [form, setForm] = useState({
    name: app?.name ?? '',
    projectId: app?.projectId ?? projectId ?? '',
    serverId: app?.serverId ?? serverId ?? '',
    cdPath: app?.cdPath ?? '',
    appUrl: app?.appUrl ?? '',
    autoStop: String(app?.autoStopTimeout ?? 60),
  })
  const set = (change: Partial<typeof form>) => setForm((old) => ({ ...old, ...change }))
  const chosenProject = form.projectId || (projects.length === 1 ? (projects[0]?.id ?? '') : '')
  const chosenServer = form.serverId || (servers.length === 1 ? (servers[0]?.id ?? '') : '')
  const fields = save.error ? asProblem(save.error).fields : {}
  const submit = () =>
    save.mutate(
      {
        name: form.name.trim(),
        projectId: chosenProject,
        serverId: chosenServer,
        cdPath: form.cdPath,
        // An empty address takes the old one away; a new app just has none.
        appUrl: form.appUrl.trim() || (app ? '' : null),
        autoStopTimeout: Number(form.autoStop) || 0,
      },
      {
        onSuccess: (saved) => {
          onDone()
          if (!app) void navigate({ to: '/apps/$appId', params: { appId: saved.id } })
        },
      },
    )
  return (
    <DialogForm
      onSubmit={submit}
      footer={
        <>
          <Button onClick={onDone}>Cancel</Button>
          <Button
            type="submit"
            variant="primary"
            pending={save.isPending}
            disabled={!form.name.trim() || !form.cdPath || !chosenProject || !chosenServer}
          >
            {app ? 'Save' : 'Add app'}
          </Button>
        </>
      }
    >
      <Field label="Name" error={fields.name}>
        <Input value={form.name} maxLength={100} autoFocus onChange={(e) => set({ name: e.target.value })} />
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        <Pick
          label="Project"
          error={fields.projectId}
          value={chosenProject}
          from={projects}
          onChange={(id) => set({ projectId: id })}
        />
        <Pick
          label="Server"
          error={fields.serverId}
          value={chosenServer}
          from={servers}
          onChange={(id) => set({ serverId: id })}
        />
      </div>
      <Field label="Directory on the server" error={fields.cdPath} hint="Absolute. The directory of the compose file.">
        <Input
          className="font-mono"
          placeholder="/srv/apps/shop"
          value={form.cdPath}
          onChange={(e) => set({ cdPath: e.target.value })}
        />
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Address of the app" error={fields.appUrl} hint="Where to open it, if it has one.">
          <Input
            type="url"
            placeholder="http://host:8080"
            value={form.appUrl}
            onChange={(e) => set({ appUrl: e.target.value })}
          />
        </Field>
        <Field label="Stops by itself after" error={fields.autoStopTimeout} hint="Minutes; 0 for never.">
          <Input
            type="number"
            min={0}
            max={525600}
            inputMode="numeric"
            value={form.autoStop}
            onChange={(e) => set({ autoStop: e.target.value })}
          />
        </Field>
      </div>
      <ProblemNote error={save.error} />
    </DialogForm>
  )
}

type PickProps = {
  label: string
  error?: string
  value: string
  from: { id: string; name: string }[]
  onChange: (id: string) => void
}

function Pick({ label, error, value, from, onChange }: PickProps) {
  return (
    <Field
      label={label}
      error={error}
      hint={from.length === 0 ? `There is no ${label.toLowerCase()} to choose yet.` : undefined}
    >
      <Select value={value} onChange={(event) => onChange(event.target.value)}>
        <option value="" disabled>
          Choose…
        </option>
        {from.map((each) => (
          <option key={each.id} value={each.id}>
            {each.name}
          </option>
        ))}
      </Select>
    </Field>
  )
}
