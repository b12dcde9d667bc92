/** RFC 9457, with Quaymaster's own members. */
export type ProblemBody = {
  title?: string
  status?: number
  detail?: string | null
  code?: string
  requestId?: string | null
  errors?: { field: string; message: string }[]
}

/** Every failed call throws this and nothing else. `status` 0: no answer came. */
export class ApiProblem extends Error {
  readonly status: number
  readonly code: string
  readonly requestId: string | null
  /** When the server says that asking again makes sense; null when it does not say. */
  readonly retryAfterMs: number | null
  readonly fields: Readonly<Record<string, string>>

  constructor(status: number, body: ProblemBody, headers = new Headers()) {
    super(sentence(body.detail || body.title || fallback(status)))
    this.name = 'ApiProblem'
    this.status = status
    this.code = body.code ?? (status === 0 ? 'network' : `http.${status}`)
    this.requestId = body.requestId ?? headers.get('x-request-id')
    const seconds = Number(headers.get('retry-after'))
    this.retryAfterMs = seconds > 0 ? seconds * 1_000 : null
    this.fields = Object.fromEntries((body.errors ?? []).map(({ field, message }) => [field, sentence(message)]))
  }
}

/** The server writes in lower case, for logs as well; a person reads a sentence. */
const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

function fallback(status: number): string {
  if (status === 0) return 'Quaymaster cannot be reached from this browser.'
  return status >= 500 ? `The server failed to answer (${status}).` : `The request was refused (${status}).`
}

/** What went wrong, whatever was thrown. */
export function asProblem(thrown: unknown): ApiProblem {
  if (thrown instanceof ApiProblem) return thrown
  return new ApiProblem(0, { detail: null, code: thrown instanceof TypeError ? 'network' : 'client' })
}

export function isProblemBody(value: unknown): value is ProblemBody {
  return typeof value === 'object' && value !== null && ('code' in value || 'title' in value)
}
