import { randomUUID } from 'node:crypto'
import { Hono } from 'hono'
import type { Context } from 'hono'
import { routePath } from 'hono/route'
import type { Admission, AdmissionEnv } from './admission.ts'
import { addLoginRoutes } from './handlers/logins.ts'
import type { Logins } from '../auth/logins.ts'
import type { Config } from '../config.ts'
import { allowOrigins } from './cors.ts'
import { SECURITY_HEADERS } from './edge.ts'
import { createIngestRoutes } from './handlers/events.ts'
import type { IngestDeps } from './handlers/events.ts'
import type { Logger } from '../process/log.ts'
import type { MetricsRoutes } from '../metrics/metrics.ts'
import { buildDocument } from './openapi/document.ts'
import { createDocsRoutes } from './handlers/docs.ts'
import { Problem, renderProblem } from '../problem/problem.ts'
import { createQueryRoutes } from './handlers/questions.ts'
import type { Queries } from '../query/tier.ts'
import { METRICS_PATH, refuseUndeclared, REGISTER, ROUTES } from './routes.ts'
import { readVersion } from '../process/version.ts'
import type { Finding } from '../verify/verify.ts'

export interface Deps extends IngestDeps {
  admission: Admission
  logins: Pick<Logins, 'login'> & { register: Logins['register'] | null }
  query: Queries
  metrics: MetricsRoutes
  deadLetters: Hono
  /** What keeps the service from being ready; empty when it is. */
  obstacles: () => string[]
  config: Config
  /** What the last check of the store found wrong. */
  damage: () => readonly Finding[]
  log: Logger
}

interface Env {
  Variables: AdmissionEnv['Variables'] & { request_id: string; events: number | undefined; internal: unknown }
}

/** All routes. Works without a port: `app.request('/livez')`. */
export function createApp(deps: Deps): Hono<Env> {
  const { admission, logins, judging, ingest, space, bodies, query, metrics, deadLetters } = deps
  const { obstacles, damage, config, log } = deps
  const { URL_BYTES_MAX: url_bytes_max, CORS_ORIGINS: cors_origins } = config
  const app = new Hono<Env>()
  // Every field of a request's line is written here; looking through it for secrets would take as long as all of the rest.
  const requestLog = log.child({}, { redact: [] })
  const routes = ROUTES.filter(({ path }) => path !== REGISTER || logins.register !== null)

  app.use(async function logRequest(c, next) {
    const started = performance.now()
    const request_id = randomUUID()
    c.set('request_id', request_id)
    c.header('x-request-id', request_id)
    await next()
    const { status } = c.res
    // The template and not the path: a path or a query string can hold a user's data.
    const route = routePath(c, -1)
    const { method } = c.req
    const ms = performance.now() - started
    metrics.countRequest({ method, route, status, seconds: ms / 1_000 })
    const entry = {
      request_id,
      method,
      route,
      status,
      ms: Math.round(ms * 10) / 10,
      events: c.get('events'),
      caller: c.get('caller'),
    }
    const internal = c.get('internal')
    if (internal !== undefined) log.error({ ...entry, err: internal }, 'request failed')
    // What asks every few seconds, for ever, would drown the rest.
    else if (route === METRICS_PATH && status === 200) requestLog.debug(entry, 'request')
    else requestLog.info(entry, 'request')
  })

  app.use(async function secureReply(c, next) {
    await next()
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
      if (!c.res.headers.has(name)) c.res.headers.set(name, value)
    }
  })
  if (cors_origins.length > 0) app.use(allowOrigins(cors_origins))
  app.use(async function limitUrl(c, next) {
    if (pathAndQuery(c.req.url).length > url_bytes_max) {
      throw new Problem('url_too_long', `An address may have at most ${url_bytes_max} bytes.`)
    }
    await next()
  })
  app.use(admission.tellLimits)
  for (const { method, path, scope } of routes) {
    if (scope !== null) app.on(method, path, admission.require(scope))
  }

  app.route('/', createIngestRoutes({ admission, judging, ingest, space, bodies }))
  app.route('/', createQueryRoutes(query))
  app.get(METRICS_PATH, (c) => metrics.answer(c))
  app.route('/dead-letters', deadLetters)
  app.route('/', createDocsRoutes(buildDocument({ routes, limits: config, version: readVersion() })))

  // For whoever opens the address in a browser first.
  const addresses = (method: string) =>
    routes.filter((route) => route.method === method).map(({ path }) => path)
  app.get('/', (c) =>
    c.json({
      service: 'frostline',
      post: addresses('POST'),
      get: addresses('GET').filter((path) => path !== '/'),
    }),
  )
  app.get('/livez', (c) => c.json({ status: 'alive' }))
  app.get('/readyz', function getReadiness(c) {
    const missing = obstacles()
    const found = damage()
    // Damage takes away answers over its own days and nothing else, so whoever decides by the status sends requests on.
    if (missing.length === 0) {
      return c.json({ status: 'ready', ...(found.length > 0 ? { damage: found } : {}) })
    }
    throw new Problem('not_ready', missing.join('; '))
  })

  addLoginRoutes(app, logins, admission.addressOf)

  for (const path of new Set(routes.map((route) => route.path))) {
    const methods = routes.filter((route) => route.path === path).map(({ method }) => method)
    const allow = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ')
    app.all(path, function refuseMethod(c) {
      const response = respond(c, new Problem('method_not_allowed', `Use ${allow}.`))
      response.headers.set('allow', allow)
      return response
    })
  }
  app.notFound((c) => respond(c, new Problem('not_found', 'See the README for what there is.')))
  app.onError(function renderError(error, c) {
    if (error instanceof Problem) {
      if (error.cause !== undefined) c.set('internal', error)
      return respond(c, error)
    }
    c.set('internal', error)
    return respond(c, new Problem('internal', `Report it with the request id ${c.get('request_id')}.`))
  })
  refuseUndeclared(app.routes)
  return app
}

/** A response that is not made by the context knows nothing of its headers. */
function respond(c: Context<Env>, problem: Problem): Response {
  const response = renderProblem(problem)
  response.headers.set('x-request-id', c.get('request_id'))
  return response
}

/** What follows the origin, which has at least `http://` and one more character. */
function pathAndQuery(url: string): string {
  return url.slice(url.indexOf('/', 'http://h'.length))
}
