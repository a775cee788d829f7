import { PROBLEMS } from '../../problem/problem.ts'
import type { ProblemCode } from '../../problem/problem.ts'
import type { Route } from '../routes.ts'
import { headerRefs } from './headers.ts'
import type { HeaderName } from './headers.ts'
import type { Json } from './json-schema.ts'
import { PROBLEM_TYPE } from './operation.ts'
import type { Example, Operation, RequestBody } from './operation.ts'
import { ref } from './schemas.ts'
import { AT_THE_GATE, EVERYWHERE, WHEN_CHANGING } from './situations.ts'

/**
 * Builds one OpenAPI operation: scope, parameters, body, replies and problems by status, each with
 * its examples.
 */

type Named<T> = readonly (readonly [string, T])[]

export function describeOperation(route: Route, operation: Operation): Json {
  const { id, tag, summary, description, parameters, body, problems = [] } = operation
  const { scope } = route
  const examples = Object.entries(operation.examples)
  const situations = [
    ...EVERYWHERE,
    ...(route.method === 'GET' ? [] : WHEN_CHANGING),
    ...(scope === null ? [] : AT_THE_GATE),
    ...problems,
  ]
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    // Alternatives: a bearer credential or X-Api-Key. The list names the required scope.
    security: scope === null ? [] : [{ bearer: [scope] }, { key: [scope] }],
    ...(parameters === undefined ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : { requestBody: { required: body.required, content: describeBody(body.content, examples) } }),
    responses: {
      ...describeReplies(route, operation.replies, examples),
      ...describeProblems(route, examples, situations),
    },
  }
}

/** Shows the bodies of successful examples, except binary ones. */
function describeBody(content: Readonly<Record<string, Json>>, examples: Named<Example>): Json {
  const values = examples.flatMap(([name, { summary, body, status }]) =>
    body === undefined || 'bytes' in body || status >= 300
      ? []
      : [{ name, type: body.type, summary, value: 'value' in body ? body.value : body.text }],
  )
  return mapValues(content, (schema, type) => {
    const shown = values.filter((value) => value.type === type)
    if (shown.length === 0) return { schema }
    return {
      schema,
      examples: Object.fromEntries(shown.map(({ name, summary, value }) => [name, { summary, value }])),
    }
  })
}

function describeReplies(route: Route, replies: Operation['replies'], examples: Named<Example>): Json {
  return mapValues(replies, ({ description, content, headers = [] }, status) => {
    const shown = examples.filter(([, example]) => example.status === Number(status))
    const common = { description, headers: headerRefs([...headersOf(route), ...headers]) }
    // OpenAPI has no place for examples of a reply without a body.
    if (content === undefined) return { ...common, 'x-examples': named(route, shown) }
    return {
      ...common,
      content: mapValues(content, (schema, type) => ({
        schema,
        examples: named(
          route,
          shown.filter(([, { reply }]) => reply?.type === type),
        ),
      })),
    }
  })
}

function describeProblems(route: Route, examples: Named<Example>, situations: readonly ProblemCode[]): Json {
  const shown = examples.filter(([, { reply }]) => reply?.type === PROBLEM_TYPE)
  const codes = new Set([...shown.map(([, example]) => codeOf(example)), ...situations])
  const by_status = groupBy(codes)
  return mapValues(by_status, (alike, status) => ({
    description: alike.map((code) => PROBLEMS[code].title).join('; '),
    headers: headerRefs([...headersOf(route), ...alike.flatMap(problemHeaders)]),
    content: {
      [PROBLEM_TYPE]: {
        schema: {
          allOf: [
            ref('Problem'),
            {
              properties: {
                type: { enum: alike.map((code) => `/problems/${code}`) },
                status: { const: Number(status) },
              },
            },
          ],
        },
        examples: {
          ...named(
            route,
            shown.filter(([, example]) => example.status === Number(status)),
          ),
          ...Object.fromEntries(
            alike
              .filter((code) => situations.includes(code))
              .map((code) => [code, { $ref: `#/components/examples/${code}` }]),
          ),
        },
      },
    },
  }))
}

function groupBy(codes: ReadonlySet<ProblemCode>): Record<string, ProblemCode[]> {
  const groups: Record<string, ProblemCode[]> = {}
  for (const code of codes) (groups[PROBLEMS[code].status] ??= []).push(code)
  return groups
}

const codeOf = ({ reply }: Example) =>
  (reply!.value as { type: string }).type.replace('/problems/', '') as ProblemCode

/** Headers of every reply of a route, except those that the HTTP server sends itself. */
function headersOf({ scope }: Route): HeaderName[] {
  return ['X-Request-Id', ...(scope === null ? [] : (['RateLimit', 'RateLimit-Policy'] as const))]
}

function problemHeaders(code: ProblemCode): HeaderName[] {
  const { status } = PROBLEMS[code]
  if (status === 401 || status === 403) return ['WWW-Authenticate']
  if (code === 'unsupported_media_type') return ['Accept-Post']
  return code === 'rate_limited' || 'retry_after_s' in PROBLEMS[code] ? ['Retry-After'] : []
}

function named(route: Route, examples: Named<Example>): Json {
  return Object.fromEntries(
    examples.map(([name, example]) => {
      const { summary, reply } = example
      const value = reply?.value
      return [
        name,
        { summary, ...(value === undefined ? {} : { value }), 'x-request': requestOf(route, example) },
      ]
    }),
  )
}

/** The complete request of an example, without the credential. */
function requestOf({ method, path }: Route, { path: given = path, headers, body }: Example): Json {
  return {
    method,
    path: given,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': body.type }) },
    ...(body === undefined ? {} : writeBody(body)),
  }
}

function writeBody(body: RequestBody): Json {
  if ('text' in body) return { body: body.text }
  if ('bytes' in body) return { body_base64: Buffer.from(body.bytes).toString('base64') }
  return { body: JSON.stringify(body.value) }
}

function mapValues<T>(of: Readonly<Record<string, T>>, map: (value: T, key: string) => unknown): Json {
  return Object.fromEntries(Object.entries(of).map(([key, value]) => [key, map(value, key)]))
}
