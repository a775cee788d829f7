import type { Bind } from './statement.ts'

/** A property of an event as SQL expressions, each NULL where the event has none. */
export interface Property {
  /** As text: of a string its characters, of a number its digits; NULL of a JSON null. */
  text: string
  /** DuckDB's name of its JSON type: `VARCHAR`, `DOUBLE`, `NULL`. */
  type: string
  /** As JSON. */
  json: string
}

const NUMBER_TYPES = ['UBIGINT', 'BIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE'] as const

/** @param keys the keys that lead to it; where these are several, an event may also have one key that joins them with dots */
export function propertyOf(keys: readonly string[], bind: Bind): Property {
  const pointers = [keys, ...(keys.length > 1 ? [[keys.join('.')]] : [])].map((path) =>
    bind(`/${path.map(escape).join('/')}`),
  )
  const first = (function_name: string) => {
    const found = pointers.map((pointer) => `${function_name}(properties, ${pointer})`)
    return found.length === 1 ? found[0]! : `coalesce(${found.join(', ')})`
  }
  return { text: first('json_extract_string'), type: first('json_type'), json: first('json_extract') }
}

/** Whether a property is a number. */
export function isNumber({ type }: Pick<Property, 'type'>): string {
  return `${type} IN (${NUMBER_TYPES.map((name) => `'${name}'`).join(', ')})`
}

/** A property as a DOUBLE; NULL where it is no number. */
export function numberOf(property: Property): string {
  return `CASE WHEN ${isNumber(property)} THEN TRY_CAST(${property.text} AS DOUBLE) END`
}

/** RFC 6901. */
function escape(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}
