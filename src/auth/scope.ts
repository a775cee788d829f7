/** What a caller may do. `admin` includes the others. */
export const SCOPES = ['ingest', 'read', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

/** Parses scopes separated by commas or spaces. Returns null if one is unknown or there are none. */
export function parseScopes(text: string): Scope[] | null {
  const names = text.split(/[ ,]+/).filter((name) => name !== '')
  if (names.length === 0 || names.some((name) => !(SCOPES as readonly string[]).includes(name))) return null
  return SCOPES.filter((scope) => names.includes(scope))
}

/** Formats scopes as they are stored and sent: separated by spaces. */
export function formatScopes(scopes: readonly Scope[]): string {
  return scopes.join(' ')
}

export function covers(held: readonly Scope[], needed: Scope): boolean {
  return held.includes('admin') || held.includes(needed)
}
