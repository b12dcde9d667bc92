/** Query keys, all in one place, so that live events can find what they change. */
export const keys = {
  session: ['session'] as const,
  servers: ['servers'] as const,
  server: (id: string) => ['servers', id] as const,
  projects: ['projects'] as const,
  project: (id: string) => ['projects', id] as const,
  members: (projectId: string) => ['projects', projectId, 'members'] as const,
  apps: ['apps'] as const,
  app: (id: string) => ['apps', id] as const,
  services: (appId: string) => ['apps', appId, 'services'] as const,
  operations: ['operations'] as const,
  operationLists: ['operations', 'list'] as const,
  operationList: (filter: Record<string, unknown>) => ['operations', 'list', filter] as const,
  operation: (id: string) => ['operations', id] as const,
  audit: (filter: Record<string, unknown>) => ['audit', filter] as const,
  users: ['users'] as const,
}
