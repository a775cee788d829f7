import type { MetricsRoutes } from '../../metrics/metrics.ts'
import { Problem } from '../../problem/problem.ts'
import type { Finding } from '../../verify/finding.ts'
import type { Handlers } from '../handler.ts'
import type { Route } from '../routes.ts'

/** The service itself: its addresses, its probes, its metrics. */

export interface ServiceDeps {
  metrics: Pick<MetricsRoutes, 'answer'>
  /** What keeps the service from being ready; empty when it is. */
  obstacles: () => string[]
  /** What the last check of the store found wrong. */
  damage: () => readonly Finding[]
}

/** @param routes those that are served */
export function serviceHandlers(
  routes: readonly Route[],
  { metrics, obstacles, damage }: ServiceDeps,
): Handlers<'GET /' | 'GET /livez' | 'GET /readyz' | 'GET /metrics'> {
  const addresses = (method: Route['method']) =>
    routes.filter((route) => route.method === method).map(({ path }) => path)

  return {
    // For whoever opens the address in a browser first.
    'GET /': (c) =>
      c.json({
        service: 'frostline',
        post: addresses('POST'),
        get: addresses('GET').filter((path) => path !== '/'),
      }),
    'GET /livez': (c) => c.json({ status: 'alive' }),
    'GET /readyz'(c) {
      const missing = obstacles()
      if (missing.length > 0) throw new Problem('not_ready', missing.join('; '))
      const found = damage()
      // Damage takes away answers over its own days and nothing else, so the status stays 200 and a load balancer sends requests on.
      return c.json({ status: 'ready', ...(found.length > 0 ? { damage: found } : {}) })
    },
    'GET /metrics': (c) => metrics.answer(c),
  }
}
