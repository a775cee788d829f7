import { PROBLEMS, problemType } from '../../problem/problems.ts'
import type { ProblemCode } from '../../problem/problems.ts'
import type { ProblemEntry } from '../../problem/problem.ts'
import type { HeaderName } from './headers.ts'
import type { Json } from './json-schema.ts'

/** What the OpenAPI document says about one route beyond ROUTES and PROBLEMS. */
export interface Operation {
  id: string
  tag: 'events' | 'questions' | 'dead letters' | 'logins' | 'service'
  summary: string
  description?: string
  parameters?: readonly Json[]
  body?: Body
  /** Replies of successful requests, by status. */
  replies: Readonly<Record<number, Reply>>
  /** Problems without an example here, in addition to those that every route can return. */
  problems?: readonly ProblemCode[]
  /** By name. A test sends them in this order to a new service and compares the replies. */
  examples: Readonly<Record<string, Example>>
}

export interface Body {
  required: boolean
  /** Schemas by media type. */
  content: Readonly<Record<string, Json>>
}

export interface Reply {
  description: string
  /** Schemas by media type; absent if the reply has no body. */
  content?: Readonly<Record<string, Json>>
  headers?: readonly HeaderName[]
}

export interface Example {
  summary: string
  /** Path and query; defaults to the path of the route. */
  path?: string
  headers?: Readonly<Record<string, string>>
  body?: RequestBody
  status: number
  reply?: { type: string; value?: unknown }
}

/** A JSON value, text in another format, or bytes. */
export type RequestBody =
  | { type: 'application/json'; value: unknown }
  | { type: string; text: string }
  | { type: string; bytes: Uint8Array }

export const JSON_TYPE = 'application/json'
export const PROBLEM_TYPE = 'application/problem+json'

export const jsonBody = (value: unknown): RequestBody => ({ type: JSON_TYPE, value })
export const jsonReply = (value: unknown) => ({ status: 200, reply: { type: JSON_TYPE, value } })
export const textReply = (type: string, value: string) => ({ status: 200, reply: { type, value } })

/** Status and problem document of an example that is rejected. */
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
  return { type: problemType(code), title, status, detail, ...more }
}
