import { Problem } from '../problem/problem.ts'

/** The formats of an answer, and which of them a client wants. */

export const MEDIA_TYPES = {
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
} as const
export const CONTENT_TYPES = { ...MEDIA_TYPES, csv: 'text/csv; charset=utf-8; header=present' } as const
export type Format = keyof typeof MEDIA_TYPES

/**
 * The format to answer in; `format` goes before `Accept`, because whoever writes an address into a browser has no say in its headers.
 * @param given values of the parameter `format`
 * @throws {Problem} `invalid_parameter`
 */
export function answerFormat<F extends Format>(
  formats: readonly F[],
  given: readonly string[] | undefined,
  accept: string | undefined,
): F | 'json' {
  if (given === undefined) return acceptedFormat(formats, accept)
  const format = formats.find((known) => given.length === 1 && given[0] === known)
  if (format !== undefined) return format
  const message = `must be one of ${formats.join(', ')}, once`
  throw new Problem('invalid_parameter', `format ${message}`, { errors: [{ path: 'format', message }] })
}

/** What `Accept` says is wanted most, by name: a browser and curl take anything, and get JSON. */
export function acceptedFormat<F extends Format>(
  formats: readonly F[],
  accept: string | undefined,
): F | 'json' {
  let best: F | 'json' = 'json'
  let best_weight = 0
  for (const range of (accept ?? '').toLowerCase().split(',')) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim())
    const named = formats.find((format) => MEDIA_TYPES[format] === type)
    const format = named ?? (type === '*/*' ? 'json' : undefined)
    const weight = weightOf(parameters)
    if (format === undefined || weight <= best_weight) continue
    best = format
    best_weight = weight
  }
  return best
}

/** From 0 to 1; 0 where it cannot be read. */
function weightOf(parameters: readonly string[]): number {
  const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice('q='.length) ?? '1'
  return /^[01](\.\d{0,3})?$/.test(weight) ? Number(weight) : 0
}
