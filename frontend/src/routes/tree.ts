import { appShellRoute } from './app-shell'
import * as pages from './pages'
import { rootRoute } from './root'
import { signInRoute } from './sign-in'

export const routeTree = rootRoute.addChildren([
  signInRoute,
  appShellRoute.addChildren([
    pages.overviewRoute,
    pages.appsRoute,
    pages.appRoute,
    pages.serversRoute,
    pages.serverRoute,
    pages.projectsRoute,
    pages.projectRoute,
    pages.operationsRoute,
    pages.operationRoute,
    pages.auditRoute,
    pages.usersRoute,
  ]),
])
