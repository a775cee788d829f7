import { randomUUID } from 'node:crypto'
import { Hono } from 'hono'
import type { Context } from 'hono'
import { routePath } from 'hono/route'
import type { Gate } from '../auth/gate.ts'
import type { Logins } from '../auth/logins.ts'
import type { Config } from '../config.ts'
import type { MetricsRoutes } from '../metrics/metrics.ts'
import { Problem } from '../problem/problem.ts'
import type { Logger } from '../process/log.ts'
import { readVersion } from '../process/version.ts'
import type { Admission } from './admission.ts'
import { allowOrigins } from './cors.ts'
import { SECURITY_HEADERS } from './edge.ts'
import type { Env, Handlers } from './handler.ts'
import { letterHandlers } from './handlers/dead-letters.ts'
import type { LetterDeps } from './handlers/dead-letters.ts'
import { docsHandlers } from './handlers/docs.ts'
import { eventHandlers } from './handlers/events.ts'
import type { IngestDeps } from './handlers/events.ts'
import { loginHandlers } from './handlers/logins.ts'
import { problemHandlers } from './handlers/problems.ts'
import { questionHandlers } from './handlers/questions.ts'
import type { QuestionDeps } from './handlers/questions.ts'
import { serviceHandlers } from './handlers/service.ts'
import type { ServiceDeps } from './handlers/service.ts'
import { guardOpenStore } from './host.ts'
import { buildDocument } from './openapi/document.ts'
import { renderProblem } from './problem-reply.ts'
import { METRICS_PATH, nameOf, REGISTER, ROUTES } from './routes.ts'
import type { RouteName } from './routes.ts'

export interface Deps
  extends Omit<IngestDeps, 'admission'>, QuestionDeps, LetterDeps, Omit<ServiceDeps, 'metrics'> {
  admission: Admission
  gate: Pick<Gate, 'closed'>
  logins: Pick<Logins, 'login'> & { register: Logins['register'] | null }
  metrics: MetricsRoutes
  config: Config
  log: Logger
}

/** Assembles all routes and middleware. Works without a port: `app.request('/livez')`. */
export function createApp(deps: Deps): Hono<Env> {
  const { admission, logins, metrics, config, log } = deps
  const { URL_BYTES_MAX: url_bytes_max, CORS_ORIGINS: cors_origins } = config
  // Not strict: `/events/` is `/events`, for every route.
  const app = new Hono<Env>({ strict: false })
  // A request entry has only the fields set below, so redaction, which doubles the cost of logging, is off.
  const requestLog = log.child({}, { redact: [] })
  const routes = ROUTES.filter(({ path }) => path !== REGISTER || logins.register !== null)
  const handlers: Handlers<RouteName> = {
    ...eventHandlers(deps),
    ...questionHandlers(deps),
    ...letterHandlers(deps),
    ...loginHandlers(logins, admission.addressOf),
    ...serviceHandlers(routes, deps),
    ...problemHandlers(),
    ...docsHandlers(() => buildDocument({ routes, limits: config, version: readVersion() })),
  }

  app.use(async function logRequest(c, next) {
    const started = performance.now()
    const request_id = randomUUID()
    c.set('request_id', request_id)
    c.header('x-request-id', request_id)
    await next()
    const { status } = c.res
    // The template, not the path: a path or query string can contain user data.
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
    // Scrapes every few seconds would flood the log.
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
  app.use(guardOpenStore(config, deps.gate))
  app.use(async function limitUrl(c, next) {
    if (pathAndQuery(c.req.url).length > url_bytes_max) {
      throw new Problem('url_too_long', `A URL may have at most ${url_bytes_max} bytes.`)
    }
    await next()
  })
  app.use(admission.tellLimits)

  for (const route of routes) {
    if (route.scope !== null) app.on(route.method, route.path, admission.require(route.scope))
    const given = handlers[nameOf(route)]
    if (given === undefined) throw new Error(`${nameOf(route)} has no handler`)
    for (const handler of [given].flat()) app.on(route.method, [route.path], handler)
  }
  for (const path of new Set(routes.map((route) => route.path))) {
    const methods = routes.filter((route) => route.path === path).map(({ method }) => method)
    const allow = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ')
    app.all(path, function refuseMethod(c) {
      const response = respond(c, new Problem('method_not_allowed', `Use ${allow}.`))
      response.headers.set('allow', allow)
      return response
    })
  }
  app.notFound((c) => respond(c, new Problem('not_found', 'GET / lists all paths.')))
  app.onError(function renderError(error, c) {
    if (error instanceof Problem) {
      if (error.cause !== undefined) c.set('internal', error)
      return respond(c, error)
    }
    c.set('internal', error)
    return respond(c, new Problem('internal', `Report it with the request id ${c.get('request_id')}.`))
  })
  return app
}

/** Renders a problem and sets x-request-id, which a Response not made by the context lacks. */
function respond(c: Context<Env>, problem: Problem): Response {
  const response = renderProblem(problem)
  response.headers.set('x-request-id', c.get('request_id'))
  return response
}

/** Returns what follows the origin, which is at least `http://` and one character. */
function pathAndQuery(url: string): string {
  return url.slice(url.indexOf('/', 'http://h'.length))
}
