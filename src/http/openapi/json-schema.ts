import { toJsonSchema } from '@valibot/to-json-schema'
import type { ConversionConfig } from '@valibot/to-json-schema'

/** JSON Schema (2020-12, the dialect of OpenAPI 3.1) from the schemas that judge. */

export type Json = Readonly<Record<string, unknown>>

type ValibotSchema = Parameters<typeof toJsonSchema>[0]

const CONFIG: ConversionConfig = {
  target: 'draft-2020-12',
  typeMode: 'input',
  // A check that is neither convertible nor described would be missing from the document without a word.
  errorMode: 'throw',
  overrideAction: ({ jsonSchema }) => ('json_schema' in jsonSchema ? jsonSchema : null),
}

/**
 * Converts a schema. Where a pipe carries `v.metadata({ json_schema })` behind its type, that stands for the whole pipe.
 * @throws when a check has no counterpart in JSON Schema and no such metadata before it
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
    // A default is written as it stands in an address.
    if (!('default' in value)) return described
    return { ...described, default: described.type === 'integer' ? Number(value.default) : value.default }
  }
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, describe(part)]))
}
