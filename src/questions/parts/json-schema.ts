/** Pieces of the JSON Schemas of answers. */

export type Json = Readonly<Record<string, unknown>>

export const COUNT = { type: 'integer', minimum: 0 } as const
export const TEXT = { type: 'string' } as const
export const DAY = { type: 'string', format: 'date' } as const
export const SHARE = {
  type: 'number',
  minimum: 0,
  maximum: 1,
  description: 'Rounded to four decimals.',
} as const

/** An object without other fields. All are required except `optional`. */
export function objectOf(properties: Json, optional: readonly string[] = []): Json {
  const required = Object.keys(properties).filter((name) => !optional.includes(name))
  return { type: 'object', properties, required, additionalProperties: false }
}

export const listOf = (items: Json) => ({ type: 'array', items })

/** The schema of what `marked` makes of labels and numbers. */
export function markedOf(labels: Json, numbers: Readonly<Record<string, Json>>): Json {
  const nullable = Object.entries(numbers).map(([name, schema]) => [
    name,
    { ...schema, type: [schema['type'], 'null'], description: noteNull(schema) },
  ])
  const incomplete = { const: true, description: 'It has begun and not ended: its numbers still grow.' }
  return objectOf({ ...labels, ...Object.fromEntries(nullable), incomplete }, ['incomplete'])
}

function noteNull({ description }: Json): string {
  const told = typeof description === 'string' ? `${description.replace(/\.$/, '')}; n` : 'N'
  return `${told}ull if it has not begun.`
}
