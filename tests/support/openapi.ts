import { Ajv2020 } from 'ajv/dist/2020.js'
import type { ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { get } from './store.ts'

/** The document as tests walk it: every operation, and every example with the reply that it stands for. */

interface Example {
  summary: string
  value?: unknown
  'x-request'?: ExampleRequest
  'x-situation'?: string
}

export interface ExampleRequest {
  method: string
  path: string
  headers: Record<string, string>
  body?: string
  body_base64?: string
}

interface Content {
  schema: object
  examples?: Record<string, Example | { $ref: string }>
}

interface Response {
  description: string
  headers: Record<string, { $ref: string }>
  content?: Record<string, Content>
  'x-examples'?: Record<string, Example>
}

export interface Operation {
  operationId: string
  security: { bearer?: string[]; key?: string[] }[]
  requestBody?: { content: Record<string, Content> }
  responses: Record<string, Response>
}

export interface ApiDocument {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: {
    schemas: Record<string, object>
    headers: Record<string, { required: boolean }>
    examples: Record<string, Example>
  }
}

/** All operations, with their routes as OpenAPI writes them. */
export function operationsOf(document: ApiDocument) {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
}

/** What stands in `security`: null for an operation that is open to all. */
export function scopeOf({ security }: Operation): string | null {
  return security[0]?.bearer?.[0] ?? null
}

/** All examples of replies. The media type is null where the reply has no body. */
export function examplesOf(document: ApiDocument) {
  return operationsOf(document).flatMap(({ method, path, operation }) =>
    Object.entries(operation.responses).flatMap(([status, response]) => {
      const bodies = Object.entries(response.content ?? {}).flatMap(([type, { schema, examples = {} }]) =>
        Object.entries(examples).map(([name, example]) => ({ type, schema, name, example })),
      )
      const bare = Object.entries(response['x-examples'] ?? {}).map(([name, example]) => ({
        type: null,
        schema: {},
        name,
        example,
      }))
      return [...bodies, ...bare].map(({ type, schema, name, example }) => ({
        title: `${method} ${path} ${status} ${name}`,
        scope: scopeOf(operation),
        status: Number(status),
        headers: Object.keys(response.headers),
        type,
        schema,
        example: resolve(document, example),
      }))
    }),
  )
}

function resolve(document: ApiDocument, example: Example | { $ref: string }): Example {
  return '$ref' in example ? document.components.examples[example.$ref.split('/').at(-1)!]! : example
}

export async function fetchDocument(url: string): Promise<ApiDocument> {
  return (await get<ApiDocument>(`${url}/openapi.json`)).json
}

/** An independent reader of the schemas. */
export function createReader(document: ApiDocument) {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  ajv.addSchema({ $id: 'document', components: document.components })
  const compiled = new Map<string, ValidateFunction>()
  return function faultsOf(schema: object, value: unknown): unknown {
    const anchored = JSON.stringify(schema).replaceAll('"#/', '"document#/')
    const isValid = compiled.get(anchored) ?? ajv.compile(JSON.parse(anchored) as object)
    compiled.set(anchored, isValid)
    return isValid(value) ? [] : isValid.errors
  }
}
