/** An address that may be a link: a stored `javascript:` one may not. */
export function webAddress(url: string | null | undefined): string | null {
  return url && /^https?:\/\//i.test(url) ? url : null
}
