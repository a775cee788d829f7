import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import type { Context } from 'hono'
import { routePath } from 'hono/route'
import { allowOrigins } from './cors.ts'
import { SECURITY_HEADERS } from './edge.ts'
import type { DiskSpace } from './hot/space.ts'
import type { BodyReader, IncomingBody } from './ingest/body.ts'
import type { Ingest } from './ingest/ingest.ts'
import type { Logger } from './log.ts'
import { Problem, renderProblem } from './problem.ts'
import { shapeAnswer } from './query/answer.ts'
import type { Row } from './query/answer.ts'
import { answerFormat, CSV_TYPE, toCsv } from './query/csv.ts'
import { parseQuestion } from './query/parameters.ts'
import type { Meta, Question } from './query/question.ts'
import type { QueryTier } from './query/tier.ts'
import type { Finding } from './verify.ts'

export interface Deps {
  ingest: Ingest
  space: Pick<DiskSpace, 'full'>
  bodies: BodyReader
  query: QueryTier
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
  Variables: { request_id: string; events: number | undefined; internal: unknown }
}

const ADDRESSES = [
  '/events',
  '/stats/dau',
  '/stats/top-events',
  '/stats/retention',
  '/tiers',
  '/livez',
  '/readyz',
] as const

/** All routes. Works without a port: `app.request('/livez')`. */
export function createApp({
  ingest,
  space,
  bodies,
  query,
  obstacles,
  damage,
  url_bytes_max,
  cors_origins,
  log,
}: Deps): Hono<Env> {
  const app = new Hono<Env>()

  app.use(async function logRequest(c, next) {
    const started = performance.now()
    const request_id = randomUUID()
    c.set('request_id', request_id)
    c.header('x-request-id', request_id)
    await next()
    const { status } = c.res
    // The template and not the path: a path or a query string can hold a user's data.
    const route = routePath(c, -1)
    const entry = {
      request_id,
      method: c.req.method,
      route,
      status,
      ms: Math.round((performance.now() - started) * 10) / 10,
      events: c.get('events'),
    }
    const internal = c.get('internal')
    if (internal !== undefined) log.error({ ...entry, err: internal }, 'request failed')
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

  app.post('/events', async function postEvents(c) {
    const strict = parseStrict(c)
    // Before the body is read: there is nowhere to put it.
    if (space.full) throw new Problem('disk_full', 'Nothing was stored. Send the events again later.')
    const reply = await bodies.withBatch(incomingBody(c), (batch) => ingest(batch, strict))
    c.set('events', reply.received)
    return c.json(reply)
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

  // For whoever opens the address in a browser first.
  app.get('/', (c) =>
    c.json({ service: 'frostline', post: ['/events'], get: ADDRESSES.filter((path) => path !== '/events') }),
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

  for (const path of ADDRESSES) {
    const allow = path === '/events' ? 'POST' : 'GET, HEAD'
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

/** Node's own stream of the body, or what a caller without a socket gave. */
function incomingBody(c: Context<Env>): IncomingBody {
  const { incoming } = c.env as Partial<HttpBindings>
  const stream = incoming ?? (c.req.raw.body === null ? Readable.from([]) : Readable.fromWeb(c.req.raw.body))
  return { header: (name) => c.req.header(name), stream }
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
