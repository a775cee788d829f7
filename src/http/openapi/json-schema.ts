import { toJsonSchema } from '@valibot/to-json-schema'
import type { ConversionConfig } from '@valibot/to-json-schema'

/** Converts valibot schemas to JSON Schema 2020-12, the dialect of OpenAPI 3.1. */

export type Json = Readonly<Record<string, unknown>>

type ValibotSchema = Parameters<typeof toJsonSchema>[0]

const CONFIG: ConversionConfig = {
  target: 'draft-2020-12',
  typeMode: 'input',
  // Otherwise a check that cannot be converted would be silently missing from the document.
  errorMode: 'throw',
  overrideAction: ({ jsonSchema }) => ('json_schema' in jsonSchema ? jsonSchema : null),
}

/**
 * Converts a schema. In a pipe, `v.metadata({ json_schema })` directly after the type replaces the
 * whole pipe.
 * @throws if a check has no counterpart in JSON Schema and no such metadata before it
 */
export function jsonSchemaOf(schema: ValibotSchema): Json {
  const { $schema: _dialect, ...converted } = toJsonSchema(schema, CONFIG)
  return describe(converted) as Json
}

function describe(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(describe)
  if (typeof value !== 'object' || value === null) return value
  if ('json_schema' in value) {
    const described = value.json_schema as { type?: string }
    // Defaults of query parameters are strings in valibot.
    if (!('default' in value)) return described
    return { ...described, default: described.type === 'integer' ? Number(value.default) : value.default }
  }
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, describe(part)]))
}
