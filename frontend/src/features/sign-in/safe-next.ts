/** The page to go to after signing in: one of this dashboard, whatever the URL says. */
export function safeNext(next: string | undefined): string {
  const inside = next?.startsWith('/') && !/^\/[/\\]/.test(next) && !next.startsWith('/sign-in')
  return inside && next ? next : '/'
}
