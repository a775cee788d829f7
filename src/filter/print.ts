import type { Field, Filter, Value } from './tree.ts'

/** Writes a filter as `where=` text. {@link parseFilter} of it gives the same filter. */
export function printFilter(filter: Filter): string {
  if ('and' in filter) return filter.and.map(printPart).join(' and ')
  if ('or' in filter) return filter.or.map(printPart).join(' or ')
  if ('not' in filter) return `not ${printPart(filter.not)}`
  const { field, op, values } = filter
  const written = values.map(printValue)
  if (op === 'exists') return `${printField(field)} exists`
  return `${printField(field)} ${op} ${op === 'in' ? `(${written.join(', ')})` : written[0]}`
}

function printPart(part: Filter): string {
  return 'field' in part ? printFilter(part) : `(${printFilter(part)})`
}

function printKey(text: string): string {
  return /^\w+$/.test(text) ? `.${text}` : `[${quote(text)}]`
}

export function printField(field: Field): string {
  if (typeof field === 'string') return field
  return `properties${field.map(printKey).join('')}`
}

function printValue({ text, quoted }: Value): string {
  return quoted ? quote(text) : text
}

function quote(text: string): string {
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`
}
