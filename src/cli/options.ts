import { parseScopes, SCOPES } from '../auth/scope.ts'
import type { Scope } from '../auth/scope.ts'
import { ConfigError } from '../config.ts'

/** Options as the parser hands them over, and what they mean. */

/** A list: of an option given twice, the parser would keep the last alone. */
export const LISTED: { type: unknown[] } = { type: [String] }

/** The value of an option that is needed, and once. */
export function only(option: string, values: readonly string[] | undefined): string {
  const value = atMostOnce(option, values)
  if (value === undefined) throw new ConfigError(`${option} is needed, once`)
  return value
}

/** The value of an option that may be left out. */
export function atMostOnce(option: string, values: readonly string[] | undefined): string | undefined {
  const [value, ...others] = values ?? []
  if (others.length > 0) throw new ConfigError(`${option} may be given once`)
  // A missing option arrives as the text of undefined, and one without a value as that of true.
  if (value === 'true') throw new ConfigError(`${option} needs a value`)
  return value === 'undefined' ? undefined : value
}

export function scopesOf(values: readonly string[] | undefined): Scope[] {
  const scopes = parseScopes(only('--scope', values))
  if (scopes === null) throw new ConfigError(`--scope must be one or several of ${SCOPES.join(', ')}`)
  return scopes
}

export function seconds(value: unknown): number {
  const n = Number(value)
  if (!Number.isFinite(n) || n < 0 || n > 86_400)
    throw new ConfigError('--wait must be a number of seconds, 0 to 86400')
  return n
}
