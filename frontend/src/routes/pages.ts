import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { appShellRoute } from './app-shell'
import { flag, oneOf, text } from './search'

const getParentRoute = () => appShellRoute
type Search = Record<string, unknown>
type AppState = (typeof APP_STATES)[number]
type OperationState = (typeof OPERATION_STATES)[number]

export const APP_STATES = ['running', 'starting', 'stopping', 'stopped', 'degraded', 'error', 'unknown'] as const
export const OPERATION_STATES = ['queued', 'running', 'succeeded', 'failed', 'cancelled', 'lost'] as const
export const APP_SORTS = ['name', 'status', 'stop'] as const

type AppsSearch = {
  q?: string
  project?: string
  server?: string
  status?: AppState
  sort?: (typeof APP_SORTS)[number]
  down?: true
}
type OperationsSearch = { app?: string; server?: string; state?: OperationState }
type AuditSearch = { user?: string; action?: string; type?: string; resource?: string; from?: string; to?: string }

export const overviewRoute = createRoute({
  getParentRoute,
  path: '/',
  component: lazyRouteComponent(() => import('@/features/overview/overview-page'), 'OverviewPage'),
})

export const appsRoute = createRoute({
  getParentRoute,
  path: '/apps',
  validateSearch: (search: Search): AppsSearch => ({
    q: text(search.q),
    project: text(search.project),
    server: text(search.server),
    status: oneOf(search.status, APP_STATES),
    sort: oneOf(search.sort, APP_SORTS),
    down: flag(search.down),
  }),
  component: lazyRouteComponent(() => import('@/features/apps/apps-page'), 'AppsPage'),
})

export const appRoute = createRoute({
  getParentRoute,
  path: '/apps/$appId',
  component: lazyRouteComponent(() => import('@/features/apps/app-page'), 'AppPage'),
})

export const serversRoute = createRoute({
  getParentRoute,
  path: '/servers',
  validateSearch: (search: Search): { add?: true } => ({ add: flag(search.add) }),
  component: lazyRouteComponent(() => import('@/features/servers/servers-page'), 'ServersPage'),
})

export const serverRoute = createRoute({
  getParentRoute,
  path: '/servers/$serverId',
  component: lazyRouteComponent(() => import('@/features/servers/server-page'), 'ServerPage'),
})

export const projectsRoute = createRoute({
  getParentRoute,
  path: '/projects',
  component: lazyRouteComponent(() => import('@/features/projects/projects-page'), 'ProjectsPage'),
})

export const projectRoute = createRoute({
  getParentRoute,
  path: '/projects/$projectId',
  component: lazyRouteComponent(() => import('@/features/projects/project-page'), 'ProjectPage'),
})

export const operationsRoute = createRoute({
  getParentRoute,
  path: '/operations',
  validateSearch: (search: Search): OperationsSearch => ({
    app: text(search.app),
    server: text(search.server),
    state: oneOf(search.state, OPERATION_STATES),
  }),
  component: lazyRouteComponent(() => import('@/features/operations/operations-page'), 'OperationsPage'),
})

export const operationRoute = createRoute({
  getParentRoute,
  path: '/operations/$operationId',
  component: lazyRouteComponent(() => import('@/features/operations/operation-page'), 'OperationPage'),
})

export const auditRoute = createRoute({
  getParentRoute,
  path: '/audit',
  validateSearch: (search: Search): AuditSearch => ({
    user: text(search.user),
    action: text(search.action),
    type: text(search.type),
    resource: text(search.resource),
    from: text(search.from),
    to: text(search.to),
  }),
  component: lazyRouteComponent(() => import('@/features/audit/audit-page'), 'AuditPage'),
})

export const usersRoute = createRoute({
  getParentRoute,
  path: '/users',
  component: lazyRouteComponent(() => import('@/features/users/users-page'), 'UsersPage'),
})
