import type { MetricsRoutes } from '../../metrics/metrics.ts'
import { Problem } from '../../problem/problem.ts'
import type { Finding } from '../../verify/finding.ts'
import type { Handlers } from '../handler.ts'
import type { Route } from '../routes.ts'

/** The list of paths, the probes and the metrics. */

export interface ServiceDeps {
  metrics: Pick<MetricsRoutes, 'answer'>
  /** Reasons why the service is not ready; empty if it is. */
  obstacles: () => string[]
  /** Findings of the last check of the store. */
  damage: () => readonly Finding[]
}

/** @param routes the served routes */
export function serviceHandlers(
  routes: readonly Route[],
  { metrics, obstacles, damage }: ServiceDeps,
): Handlers<'GET /' | 'GET /livez' | 'GET /readyz' | 'GET /metrics'> {
  const addresses = (method: Route['method']) =>
    routes.filter((route) => route.method === method).map(({ path }) => path)

  return {
    // For a person who opens the service in a browser.
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
      // Damage affects only queries over its own days, so the status stays 200 and a load balancer
      // keeps sending requests.
      return c.json({ status: 'ready', ...(found.length > 0 ? { damage: found } : {}) })
    },
    'GET /metrics': (c) => metrics.answer(c),
  }
}
