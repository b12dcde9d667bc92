/** Where this dashboard is mounted. The server writes it into `<base href>`, so nothing else knows `BASE_PATH`. */
const base = new URL(document.baseURI)

/** The mount path without its last slash: `''`, or `/ssh-ws`. */
export const basePath = base.pathname.replace(/[^/]*$/, '').replace(/\/$/, '')

/** The origin and mount path, to which `/api/…` is appended. */
export const baseUrl = `${base.origin}${basePath}`
