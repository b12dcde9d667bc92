/**
 * Short names for the generated schema. They are read off the calls, so that they hold whatever the document names its
 * shapes. Nothing else reads `schema.gen.ts`, except the client.
 */
import type { paths } from './schema.gen'

type JsonOf<T> = T extends { content: { 'application/json': infer Json } } ? Json : never

/** What `method path` answers when it goes well. */
type Answer<Path extends keyof paths, Method extends keyof paths[Path]> = paths[Path][Method] extends {
  responses: infer Responses
}
  ? JsonOf<Responses[keyof Responses & (200 | 201)]>
  : never

/** What `method path` is sent. */
type Body<Path extends keyof paths, Method extends keyof paths[Path]> = paths[Path][Method] extends {
  requestBody?: infer Sent
}
  ? JsonOf<NonNullable<Sent>>
  : never

export type CurrentUser = Answer<'/api/auth/login', 'post'>['user']
export type User = Answer<'/api/users/{id}', 'get'>
export type UserInput = Body<'/api/users', 'post'>
export type UserUpdate = Body<'/api/users/{id}', 'put'>
export type Role = User['role']
export type Server = Answer<'/api/servers/{id}', 'get'>
export type ServerInput = Body<'/api/servers', 'post'>
export type ServerUpdate = Body<'/api/servers/{id}', 'put'>
export type ServerState = Server['status']
export type CredentialInput = ServerInput['credential']
export type TestInput = Body<'/api/servers/test', 'post'>
export type TestReport = Answer<'/api/servers/{id}/test', 'post'>
export type TestStep = TestReport['steps'][number]
export type Project = Answer<'/api/projects/{id}', 'get'>
export type ProjectInput = Body<'/api/projects', 'post'>
export type Member = Answer<'/api/projects/{id}/members', 'get'>[number]
export type MemberRole = Member['role']
export type App = Answer<'/api/apps/{id}', 'get'>
export type AppInput = Body<'/api/apps', 'post'>
export type AppState = App['status']
export type Service = Answer<'/api/apps/{id}/services', 'get'>[number]
export type Operation = Answer<'/api/operations/{id}', 'get'>
export type OperationState = Operation['state']
export type Action = Operation['action']
export type AuditLog = Answer<'/api/audit-logs', 'get'>['items'][number]
