import type { Scope } from '../auth/scope.ts'

/** Every route, and what a caller needs for it. The service does not start with a route that does not stand here. */

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

/** @throws {Error} naming the first route that has no entry, and so asks for no scope */
export function refuseUndeclared(routes: readonly { method: string; path: string }[]): void {
  const declared = new Set<string>(ROUTES.map(({ method, path }) => `${method} ${path}`))
  const paths = new Set<string>(['/*', ...ROUTES.map(({ path }) => path)])
  for (const { method, path } of routes) {
    if (method === 'ALL' ? paths.has(path) : declared.has(`${method} ${path}`)) continue
    throw new Error(`${method} ${path} has no entry in ROUTES, so nobody decided who may use it`)
  }
}
