import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { Boxes, EllipsisVertical, Pencil, Plus, Trash2 } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { appsQuery } from '@/api/apps'
import { projectQuery, useDeleteProject } from '@/api/projects'
import { can, canMaintain } from '@/api/rights'
import { useUser } from '@/api/session'
import type { Project } from '@/api/types'
import { AppDialog } from '@/components/app-dialog'
import { AppsTable } from '@/components/apps-table'
import { Confirm } from '@/components/confirm'
import { EmptyState } from '@/components/empty-state'
import { Load } from '@/components/load'
import { Page, Panel } from '@/components/page'
import { ProjectDialog } from '@/components/project-dialog'
import { Button } from '@/components/ui/button'
import { Menu, MenuItem } from '@/components/ui/menu'
import { useNames } from '@/components/use-names'
import { Members } from './members'

const route = getRouteApi('/_in/projects/$projectId')
const CRUMBS = [{ label: 'Projects', to: '/projects' }]

export function ProjectPage() {
  const { projectId } = route.useParams()
  const project = useQuery(projectQuery(projectId))
  if (project.data) return <ProjectView project={project.data} />
  return (
    <Page title="Project" crumbs={CRUMBS}>
      <Panel>
        <Load query={project}>{() => null}</Load>
      </Panel>
    </Page>
  )
}

function ProjectView({ project }: { project: Project }) {
  const mayMaintain = canMaintain(useUser(), project)
  const [adding, setAdding] = useState(false)
  const add = (
    <Button variant="primary" onClick={() => setAdding(true)}>
      <Plus />
      Add app
    </Button>
  )
  return (
    <Page
      title={project.name}
      crumbs={CRUMBS}
      lead={project.description && <p className="max-w-prose">{project.description}</p>}
      actions={
        mayMaintain && (
          <>
            {add}
            <More project={project} />
          </>
        )
      }
    >
      <div className="grid gap-4 lg:grid-cols-[minmax(0,1fr)_22rem]">
        <ProjectApps project={project} add={mayMaintain && add} />
        <Members project={project} mayChange={mayMaintain} />
      </div>
      <AppDialog open={adding} onOpenChange={setAdding} projectId={project.id} />
    </Page>
  )
}

function ProjectApps({ project, add }: { project: Project; add: ReactNode }) {
  const apps = useQuery(appsQuery)
  const names = useNames()
  return (
    <Panel title="Apps" className="self-start">
      <Load query={{ ...apps, data: apps.data?.filter((app) => app.projectId === project.id) }}>
        {(found) =>
          found.length > 0 ? (
            <AppsTable apps={found} names={names} without={['project']} />
          ) : (
            <EmptyState icon={Boxes} title="No apps yet" action={add}>
              An app is a directory with a compose file on one of your servers.
            </EmptyState>
          )
        }
      </Load>
    </Panel>
  )
}

function More({ project }: { project: Project }) {
  const mayDelete = can(useUser(), 'projects:create')
  const navigate = useNavigate()
  const remove = useDeleteProject(project.id)
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
        <MenuItem onSelect={() => setOpen('edit')}>
          <Pencil />
          Edit…
        </MenuItem>
        {mayDelete && (
          <MenuItem danger onSelect={() => setOpen('delete')}>
            <Trash2 />
            Delete…
          </MenuItem>
        )}
      </Menu>
      <ProjectDialog open={open === 'edit'} onOpenChange={() => setOpen(null)} project={project} />
      <Confirm
        open={open === 'delete'}
        onOpenChange={() => setOpen(null)}
        title={`Delete ${project.name}?`}
        action="Delete project"
        danger
        onConfirm={async () => {
          await remove.mutateAsync()
          void navigate({ to: '/projects' })
        }}
      >
        <p>Its members lose their rights in it. A project whose apps run is not deleted.</p>
      </Confirm>
    </>
  )
}
