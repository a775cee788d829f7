import type { Scope } from '../auth/scope.ts'
import { QUESTIONS } from '../questions/table.ts'

/**
 * Every route and the scope it needs. Handlers (`handlers/`) and OpenAPI operations
 * (`openapi/operations/`) are records over these names, so a route without one of them does not
 * compile.
 */

export interface Route {
  method: 'GET' | 'POST' | 'DELETE'
  path: string
  /** Null: no credential needed, as for probes and logins. */
  scope: Scope | null
}

/** The path of a question. */
export const statsRoute = (name: string) => `/stats/${name}` as const

export const ROUTES = [
  { method: 'POST', path: '/events', scope: 'ingest' },
  { method: 'GET', path: '/events', scope: 'read' },
  { method: 'GET', path: '/dead-letters', scope: 'admin' },
  { method: 'GET', path: '/dead-letters/:id', scope: 'admin' },
  { method: 'POST', path: '/dead-letters/:id/replay', scope: 'admin' },
  { method: 'DELETE', path: '/dead-letters/:id', scope: 'admin' },
  ...QUESTIONS.flatMap(
    ({ name }) =>
      [
        { method: 'GET', path: statsRoute(name), scope: 'read' },
        { method: 'POST', path: statsRoute(name), scope: 'read' },
      ] as const,
  ),
  { method: 'GET', path: '/tiers', scope: 'read' },
  { method: 'GET', path: '/metrics', scope: 'read' },
  { method: 'GET', path: '/', scope: null },
  { method: 'GET', path: '/livez', scope: null },
  { method: 'GET', path: '/readyz', scope: null },
  { method: 'GET', path: '/openapi.json', scope: null },
  { method: 'GET', path: '/problems', scope: null },
  { method: 'GET', path: '/problems/:code', scope: null },
  { method: 'GET', path: '/docs', scope: null },
  { method: 'GET', path: '/docs/:file', scope: null },
  { method: 'POST', path: '/auth/login', scope: null },
  { method: 'POST', path: '/auth/register', scope: null },
] as const satisfies readonly Route[]

type NameOf<R extends Route> = R extends Route ? `${R['method']} ${R['path']}` : never
/** A route as a key of other tables: `GET /events`. */
export type RouteName = NameOf<(typeof ROUTES)[number]>

/** Served only if registration is allowed; otherwise it answers 404 like any unknown path. */
export const REGISTER = '/auth/register'

export const METRICS_PATH = '/metrics'

export function nameOf({ method, path }: Route): RouteName {
  return `${method} ${path}` as RouteName
}
