import type { Scope } from '../auth/scope.ts'

/**
 * Every route, and the scope that it needs. Handlers (`handlers/`) and OpenAPI operations (`openapi/operations/`) are records over these
 * names: a route without one of them does not compile, and a handler without a route is never served.
 */

export interface Route {
  method: 'GET' | 'POST' | 'DELETE'
  path: string
  /** Null: for everybody. Probes have no key, and whoever logs in has none yet. */
  scope: Scope | null
}

export const ROUTES = [
  { method: 'POST', path: '/events', scope: 'ingest' },
  { method: 'GET', path: '/events', scope: 'read' },
  { method: 'GET', path: '/dead-letters', scope: 'admin' },
  { method: 'GET', path: '/dead-letters/:id', scope: 'admin' },
  { method: 'POST', path: '/dead-letters/:id/replay', scope: 'admin' },
  { method: 'DELETE', path: '/dead-letters/:id', scope: 'admin' },
  { method: 'GET', path: '/stats/dau', scope: 'read' },
  { method: 'GET', path: '/stats/top-events', scope: 'read' },
  { method: 'GET', path: '/stats/retention', scope: 'read' },
  { method: 'GET', path: '/tiers', scope: 'read' },
  { method: 'GET', path: '/metrics', scope: 'read' },
  { method: 'GET', path: '/', scope: null },
  { method: 'GET', path: '/livez', scope: null },
  { method: 'GET', path: '/readyz', scope: null },
  { method: 'GET', path: '/openapi.json', scope: null },
  { method: 'GET', path: '/docs', scope: null },
  { method: 'GET', path: '/docs/:file', scope: null },
  { method: 'POST', path: '/auth/login', scope: null },
  { method: 'POST', path: '/auth/register', scope: null },
] as const satisfies readonly Route[]

type NameOf<R extends Route> = R extends Route ? `${R['method']} ${R['path']}` : never
/** A route as other tables name it: `GET /events`. */
export type RouteName = NameOf<(typeof ROUTES)[number]>

/** Whether it is listed at all: elsewhere registering is no more than an address that does not exist. */
export const REGISTER = '/auth/register'

/** Scraped every few seconds. */
export const METRICS_PATH = '/metrics'

export function nameOf({ method, path }: Route): RouteName {
  return `${method} ${path}` as RouteName
}
