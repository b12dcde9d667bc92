import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { asProblem } from '@/api/problem'
import { useSaveProject } from '@/api/projects'
import type { Project } from '@/api/types'
import { ProblemNote } from './error-state'
import { Button } from './ui/button'
import { Dialog, DialogForm } from './ui/dialog'
import { Field, Input, Textarea } from './ui/field'

type Props = { open: boolean; onOpenChange: (open: boolean) => void; project?: Project }

/** Creates a project, or edits one. */
export function ProjectDialog({ open, onOpenChange, project }: Props) {
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={project ? `Edit ${project.name}` : 'New project'}
      description={project ? undefined : 'A project groups apps, and says who may see and start them.'}
    >
      <ProjectForm project={project} onDone={() => onOpenChange(false)} />
    </Dialog>
  )
}

function ProjectForm({ project, onDone }: { project?: Project; onDone: () => void }) {
  const navigate = useNavigate()
  const save = useSaveProject(project?.id)
  const [name, setName] = useState(project?.name ?? '')
  const [description, setDescription] = useState(project?.description ?? '')
  const fields = save.error ? asProblem(save.error).fields : {}
  const submit = () =>
    save.mutate(
      { name: name.trim(), description: description.trim() },
      {
        onSuccess: (saved) => {
          onDone()
          if (!project) void navigate({ to: '/projects/$projectId', params: { projectId: saved.id } })
        },
      },
    )
  return (
    <DialogForm
      onSubmit={submit}
      footer={
        <>
          <Button onClick={onDone}>Cancel</Button>
          <Button type="submit" variant="primary" pending={save.isPending} disabled={!name.trim()}>
            {project ? 'Save' : 'Create project'}
          </Button>
        </>
      }
    >
      <Field label="Name" error={fields.name}>
        <Input value={name} maxLength={100} autoFocus onChange={(e) => setName(e.target.value)} />
      </Field>
      <Field label="Description" error={fields.description}>
        <Textarea rows={3} maxLength={2000} value={description} onChange={(e) => setDescription(e.target.value)} />
      </Field>
      <ProblemNote error={save.error} />
    </DialogForm>
  )
}
