import createClient from 'openapi-fetch'
import { baseUrl } from '@/lib/base'
import { ApiProblem, isProblemBody } from './problem'
import type { paths } from './schema.gen'
import { transport } from './transport'

/** Every call of the API, typed by the document that the server generates. */
export const client = createClient<paths>({
  baseUrl,
  credentials: 'same-origin',
  fetch: (request) => transport(request),
})

type Answer<T> = { data?: T; error?: unknown; response: Response }

/** The body of a good answer; a bad one, or none at all, throws `ApiProblem`. */
export async function unwrap<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>
  try {
    answer = await call
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === 'AbortError') throw thrown
    throw new ApiProblem(0, {})
  }
  const { response, error } = answer
  if (!response.ok) throw new ApiProblem(response.status, isProblemBody(error) ? error : {}, response.headers)
  return answer.data as T
}
