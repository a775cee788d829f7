import { Problem } from '../problem/problem.ts'

/** Chooses the format of a reply from `format` and `Accept`. */

export const MEDIA_TYPES = {
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
  html: 'text/html',
} as const
export const CONTENT_TYPES = {
  ...MEDIA_TYPES,
  csv: 'text/csv; charset=utf-8; header=present',
  html: 'text/html; charset=utf-8',
} as const
export type Format = keyof typeof MEDIA_TYPES

/**
 * Returns the format of the reply. `format` overrides `Accept`, which cannot be set in the address
 * bar of a browser.
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
  const message = `must be given once, as one of ${formats.join(', ')}`
  throw new Problem('invalid_parameter', `format ${message}`, { errors: [{ path: 'format', message }] })
}

/**
 * Returns the format with the highest weight in `Accept`; JSON for a wildcard, as browsers and curl
 * send it.
 */
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

/** From 0 to 1; 0 if it is invalid. */
function weightOf(parameters: readonly string[]): number {
  const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice('q='.length) ?? '1'
  return /^[01](\.\d{0,3})?$/.test(weight) ? Number(weight) : 0
}
