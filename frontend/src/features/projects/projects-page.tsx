import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { FolderKanban, Plus } from 'lucide-react'
import { useState } from 'react'
import { appsQuery, isRunning } from '@/api/apps'
import { projectsQuery } from '@/api/projects'
import { can } from '@/api/rights'
import { useUser } from '@/api/session'
import type { Project } from '@/api/types'
import { Age } from '@/components/age'
import { type Column, DataTable } from '@/components/data-table'
import { EmptyState } from '@/components/empty-state'
import { Load } from '@/components/load'
import { Page, Panel } from '@/components/page'
import { ProjectDialog } from '@/components/project-dialog'
import { Button } from '@/components/ui/button'

export function ProjectsPage() {
  const mayAdd = can(useUser(), 'projects:create')
  const projects = useQuery(projectsQuery)
  const [adding, setAdding] = useState(false)
  const add = mayAdd && (
    <Button variant="primary" onClick={() => setAdding(true)}>
      <Plus />
      New project
    </Button>
  )
  return (
    <Page title="Projects" actions={add}>
      <Panel>
        <Load query={projects}>
          {(found) =>
            found.length > 0 ? (
              <DataTable label="Projects" columns={COLUMNS} rows={found} rowKey={(project) => project.id} />
            ) : (
              <EmptyState icon={FolderKanban} title="No projects yet" action={add}>
                A project groups apps, and says who may see and start them.
              </EmptyState>
            )
          }
        </Load>
      </Panel>
      <ProjectDialog open={adding} onOpenChange={setAdding} />
    </Page>
  )
}

const COLUMNS: Column<Project>[] = [
  {
    id: 'name',
    header: 'Project',
    width: 'minmax(0, 1.2fr)',
    cell: (project) => (
      <Link
        to="/projects/$projectId"
        params={{ projectId: project.id }}
        className="block truncate font-medium after:absolute after:inset-0"
      >
        {project.name}
      </Link>
    ),
  },
  {
    id: 'description',
    header: 'Description',
    width: 'minmax(0, 2.4fr)',
    from: 'md',
    cell: (project) => <span className="block truncate text-ink-2">{project.description}</span>,
  },
  {
    id: 'running',
    header: 'Running',
    width: '5rem',
    align: 'end',
    cell: (project) => <RunningApps project={project} />,
  },
  {
    id: 'role',
    header: 'Your role',
    width: '6rem',
    from: 'md',
    cell: (project) => <span className="text-ink-2 capitalize">{project.role ?? 'admin'}</span>,
  },
  {
    id: 'updated',
    header: 'Changed',
    width: '6rem',
    align: 'end',
    cell: (project) => (
      <span className="text-ink-2">
        <Age at={project.updatedAt} />
      </span>
    ),
  },
]

/** Counted from the apps, which live events keep true. */
function RunningApps({ project }: { project: Project }) {
  const apps = useQuery(appsQuery).data?.filter((app) => app.projectId === project.id)
  return (
    <span className="nums text-ink-2">
      {apps?.filter(isRunning).length ?? project.runningAppsCount}/{apps?.length ?? project.appsCount}
    </span>
  )
}
