import { randomUUID } from 'node:crypto'
import { Hono } from 'hono'
import type { Context } from 'hono'
import { routePath } from 'hono/route'
import type { Admission, AdmissionEnv } from './auth/admission.ts'
import { addLoginRoutes } from './auth/login-routes.ts'
import type { Logins } from './auth/logins.ts'
import { allowOrigins } from './cors.ts'
import { SECURITY_HEADERS } from './edge.ts'
import type { DiskSpace } from './hot/space.ts'
import { refused } from './ingest/ingest.ts'
import { incomingBody } from './ingest/incoming.ts'
import type { BodyReader } from './ingest/body.ts'
import type { Ingest } from './ingest/ingest.ts'
import { createKeysInFlight, keyedRequest, readIdempotencyKey } from './ingest/keys-in-flight.ts'
import type { Logger } from './log.ts'
import type { MetricsRoutes } from './metrics/metrics.ts'
import type { Asked } from './metrics/observe.ts'
import { Problem, renderProblem } from './problem.ts'
import { shapeAnswer } from './query/answer.ts'
import type { Row } from './query/answer.ts'
import { answerFormat, CSV_TYPE, toCsv } from './query/csv.ts'
import { parseEventsQuestion } from './query/events-parameters.ts'
import { CONTENT_TYPES, nextCursor, nextLink, renderEvents } from './query/events-reply.ts'
import { parseQuestion } from './query/parameters.ts'
import type { Meta, Question } from './query/question.ts'
import { METRICS_PATH, refuseUndeclared, REGISTER, ROUTES } from './routes.ts'
import { nowMicros } from './time.ts'
import type { Finding } from './verify.ts'

export interface Deps {
  admission: Admission
  logins: Pick<Logins, 'login'> & { register: Logins['register'] | null }
  ingest: Ingest
  space: Pick<DiskSpace, 'full'>
  bodies: BodyReader
  query: Asked
  metrics: MetricsRoutes
  deadLetters: Hono
  /** What keeps the service from being ready; empty when it is. */
  obstacles: () => string[]
  /** Of path and query. */
  url_bytes_max: number
  /** Whose pages may ask; empty for none but our own. */
  cors_origins: readonly string[]
  /** What the last check of the store found wrong. */
  damage: () => readonly Finding[]
  log: Logger
}

interface Env {
  Variables: AdmissionEnv['Variables'] & { request_id: string; events: number | undefined; internal: unknown }
}

/** Whose keys and dead letters they are where nobody has to say who he is. */
const ANONYMOUS = 'anonymous'

/** All routes. Works without a port: `app.request('/livez')`. */
export function createApp(deps: Deps): Hono<Env> {
  const { admission, logins, ingest, space, bodies, query, metrics, deadLetters, obstacles, damage, log } =
    deps
  const { url_bytes_max, cors_origins } = deps
  const app = new Hono<Env>()
  const routes = ROUTES.filter(({ path }) => path !== REGISTER || logins.register !== null)
  const keysInFlight = createKeysInFlight()

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
    else if (route === METRICS_PATH && status === 200) log.debug(entry, 'request')
    else log.info(entry, 'request')
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

  app.post('/events', async function postEvents(c) {
    const strict = parseStrict(c)
    // Before the body is read: there is nowhere to put it.
    if (space.full) throw new Problem('disk_full', 'Nothing was stored. Send the events again later.')
    const key = readIdempotencyKey(c.req.header('idempotency-key'))
    const source = c.get('caller') ?? ANONYMOUS
    const { reply, replayed } = await keysInFlight.hold(source, key, () =>
      bodies.withBatch(incomingBody(c), (batch, bytes) => {
        admission.takeEvents(c, batch)
        const keyed =
          key === null ? {} : { keyed: keyedRequest(source, key, `POST /events strict=${strict}`, bytes) }
        return ingest(batch, { strict, source, ...keyed })
      }),
    )
    c.set('events', reply.received)
    const headers: Record<string, string> = replayed ? { 'idempotency-replayed': 'true' } : {}
    if (reply.received > 0 && reply.rejected === reply.received) throw refused(reply, headers)
    return c.json(reply, 200, headers)
  })

  app.get('/events', async function getEvents(c) {
    const started = performance.now()
    const { question, format } = parseEventsQuestion(c.req.queries(), c.req.header('accept'), nowMicros())
    const page = await askFor(c, (signal) => query.events(question, signal))
    const { hot_events, cold_events, cold_files } = page
    const next_cursor = nextCursor(page, question)
    c.header('vary', 'Accept', { append: true })
    if (next_cursor !== null) c.header('link', nextLink(c.req.url, next_cursor))
    const took_ms = Math.round((performance.now() - started) * 10) / 10
    const meta: Meta = { hot_events, cold_events, cold_files, took_ms }
    return c.body(renderEvents(format, page.rows, next_cursor, meta), 200, {
      'content-type': CONTENT_TYPES[format],
    })
  })

  const answer = (kind: Question['kind']) =>
    async function answerQuestion(c: Context<Env>) {
      const started = performance.now()
      const { format: given, ...parameters } = c.req.queries()
      const format = answerFormat(given, c.req.header('accept'))
      const question = parseQuestion(kind, parameters)
      const { rows, ...read } = await askFor(c, (signal) => query.ask(question, signal))
      const meta: Meta = { ...read, took_ms: Math.round((performance.now() - started) * 10) / 10 }
      const shaped = shapeAnswer(question, rows as readonly Row[])
      c.header('vary', 'Accept', { append: true })
      if (format === 'csv') return c.body(toCsv(shaped), 200, { 'content-type': CSV_TYPE })
      return c.json({ ...shaped, meta })
    }
  app.get('/stats/dau', answer('dau'))
  app.get('/stats/top-events', answer('top_events'))
  app.get('/stats/retention', answer('retention'))

  app.get('/tiers', async function getTiers(c) {
    return c.json(await askFor(c, (signal) => query.tiers(signal)))
  })

  app.get(METRICS_PATH, (c) => metrics.answer(c))

  app.route('/dead-letters', deadLetters)

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

/** Asks as long as somebody waits for the answer. */
async function askFor<T>(c: Context<Env>, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { signal } = c.req.raw
  try {
    return await ask(signal)
  } catch (error) {
    throw signal.aborted ? new Problem('client_left', 'The question was interrupted.') : error
  }
}

/** A misspelt `strict` that is ignored would store what was to be refused. */
function parseStrict(c: Context): boolean {
  const { strict = ['false'], ...others } = c.req.queries()
  if (Object.keys(others).length > 0) throw wrongParameter('', 'the only parameter is strict')
  if (strict.length === 1 && strict[0] === 'true') return true
  if (strict.length === 1 && strict[0] === 'false') return false
  throw wrongParameter('strict', 'strict must be true or false, once')
}

function wrongParameter(path: string, message: string): Problem {
  return new Problem('invalid_parameter', message, { errors: [{ path, message }] })
}
