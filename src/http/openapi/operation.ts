import { PROBLEMS } from '../../problem/problem.ts'
import type { ProblemCode } from '../../problem/problem.ts'
import type { ProblemEntry } from '../../problem/problem.ts'
import type { HeaderName } from './headers.ts'
import type { Json } from './json-schema.ts'

/** What the document says of one route, beside what ROUTES and PROBLEMS say already. */
export interface Operation {
  id: string
  tag: 'events' | 'questions' | 'dead letters' | 'logins' | 'service'
  summary: string
  description?: string
  parameters?: readonly Json[]
  body?: Body
  /** What is answered when all went well, by status. */
  replies: Readonly<Record<number, Reply>>
  /** What may go wrong and no example shows, beside what may go wrong everywhere. */
  problems?: readonly ProblemCode[]
  /** By name. Sent in this order to a fresh service, each gets the reply that stands with it. */
  examples: Readonly<Record<string, Example>>
}

export interface Body {
  required: boolean
  /** Schemas by media type. */
  content: Readonly<Record<string, Json>>
}

export interface Reply {
  description: string
  /** Schemas by media type; none where there is no body. */
  content?: Readonly<Record<string, Json>>
  headers?: readonly HeaderName[]
}

export interface Example {
  summary: string
  /** With the query; left out where it is the route's own. */
  path?: string
  headers?: Readonly<Record<string, string>>
  body?: RequestBody
  status: number
  reply?: { type: string; value?: unknown }
}

/** A JSON value, a text in another format, or bytes. */
export type RequestBody =
  | { type: 'application/json'; value: unknown }
  | { type: string; text: string }
  | { type: string; bytes: Uint8Array }

export const JSON_TYPE = 'application/json'
export const PROBLEM_TYPE = 'application/problem+json'

export const jsonBody = (value: unknown): RequestBody => ({ type: JSON_TYPE, value })
export const jsonReply = (value: unknown) => ({ status: 200, reply: { type: JSON_TYPE, value } })
export const textReply = (type: string, value: string) => ({ status: 200, reply: { type, value } })

/** What a problem looks like, as the status and reply of an example. */
export function refusal(
  code: ProblemCode,
  detail: string,
  more: { errors?: readonly ProblemEntry[] } & Record<string, unknown> = {},
): Pick<Example, 'status' | 'reply'> {
  const { status } = PROBLEMS[code]
  return { status, reply: { type: PROBLEM_TYPE, value: problemDocument(code, detail, more) } }
}

export function problemDocument(code: ProblemCode, detail: string, more: Record<string, unknown> = {}): Json {
  const { title, status } = PROBLEMS[code]
  return { type: `/problems/${code}`, title, status, detail, ...more }
}
