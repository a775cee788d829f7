/** What a caller may do. `admin` includes the others. */
export const SCOPES = ['ingest', 'read', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

/** Reads one or several scopes, with commas or spaces between them; null where one is unknown or there is none. */
export function parseScopes(text: string): Scope[] | null {
  const names = text.split(/[ ,]+/).filter((name) => name !== '')
  if (names.length === 0 || names.some((name) => !(SCOPES as readonly string[]).includes(name))) return null
  return SCOPES.filter((scope) => names.includes(scope))
}

/** As it is stored and told. */
export function formatScopes(scopes: readonly Scope[]): string {
  return scopes.join(' ')
}

export function covers(held: readonly Scope[], needed: Scope): boolean {
  return held.includes('admin') || held.includes(needed)
}
