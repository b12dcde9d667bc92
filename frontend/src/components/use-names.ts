import { useQuery } from '@tanstack/react-query'
import { appsQuery } from '@/api/apps'
import { projectsQuery } from '@/api/projects'
import { serversQuery } from '@/api/servers'
import type { Project } from '@/api/types'

type Named = { id: string; name: string }
const byId = <T extends Named>(things: T[] | undefined) => new Map((things ?? []).map((thing) => [thing.id, thing]))

/** Names for ids, from the lists that are cached anyway. An id that is not there keeps its first digits. */
export function useNames() {
  const apps = byId(useQuery(appsQuery).data)
  const servers = byId(useQuery(serversQuery).data)
  const projects = byId<Project>(useQuery(projectsQuery).data)
  const name = (things: Map<string, Named>, id: string) => things.get(id)?.name ?? id.slice(0, 8)
  return {
    app: (id: string) => name(apps, id),
    server: (id: string) => name(servers, id),
    project: (id: string) => name(projects, id),
    projectOf: (id: string) => projects.get(id),
  }
}
