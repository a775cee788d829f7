import type { Context } from 'hono'
import type { Micros } from '../../event/time.ts'
import { parseExactJson } from '../../event/json.ts'
import { sizeOf } from '../../ingest/body.ts'
import type { Body, BodyReader } from '../../ingest/body.ts'
import { Problem } from '../../problem/problem.ts'
import { parseEventsQuestion } from '../../query/events-parameters.ts'
import { nextCursor, nextLink, renderEvents } from '../../query/events-reply.ts'
import { answerFormat, CONTENT_TYPES } from '../../query/format.ts'
import type { Meta } from '../../query/question.ts'
import type { Asker, Queries } from '../../query/tier.ts'
import { answerOf, csvOf } from '../../questions/parts/answer.ts'
import type { Definition } from '../../questions/parts/definition.ts'
import { queryOfBody, QUESTION_BYTES_MAX } from '../../questions/parts/body.ts'
import { parseQuestion } from '../../questions/parts/parameters.ts'
import type { Query } from '../../questions/parts/parameters.ts'
import { QUESTIONS } from '../../questions/table.ts'
import type { Env, Handler, Handlers } from '../handler.ts'
import { incomingBody } from '../incoming.ts'
import { statsRoute } from '../routes.ts'

/** `GET /events`, `/stats/*` and `/tiers`. */

export interface QuestionDeps {
  query: Queries
  /** The wall clock. */
  now_us: () => Micros
  bodies: BodyReader
}

export function questionHandlers({
  query,
  now_us,
  bodies,
}: QuestionDeps): Handlers<'GET /events' | `${'GET' | 'POST'} /stats/${string}` | 'GET /tiers'> {
  async function answer(c: Context<Env>, definition: Definition, given: Query): Promise<Response> {
    const started = performance.now()
    const { format: formats, ...parameters } = given
    const format = answerFormat(['json', 'csv'], formats, c.req.header('accept'))
    const asked = parseQuestion(definition, parameters, now_us())
    const { rows, ...read } = await askFor(c, (asker) => query.ask(asked, asker))
    const meta: Meta = { ...read, took_ms: tenthsSince(started) }
    const shaped = answerOf(asked, rows)
    c.header('vary', 'Accept', { append: true })
    if (format === 'csv') return c.body(csvOf(asked, shaped), 200, { 'content-type': CONTENT_TYPES.csv })
    return c.json({ ...shaped, meta })
  }

  const ofUrl =
    (definition: Definition): Handler =>
    (c) =>
      answer(c, definition, c.req.queries())
  const ofBody =
    (definition: Definition): Handler =>
    async (c) =>
      answer(c, definition, await bodies.withBody(incomingBody(c), readQuestion))

  return {
    async 'GET /events'(c) {
      const started = performance.now()
      const { question, format } = parseEventsQuestion(c.req.queries(), c.req.header('accept'), now_us())
      const page = await askFor(c, (asker) => query.events(question, format, asker))
      const { hot_events, cold_events, cold_files } = page
      const next_cursor = nextCursor(page, question)
      c.header('vary', 'Accept', { append: true })
      if (next_cursor !== null) c.header('link', nextLink(c.req.url, next_cursor))
      const meta: Meta = { hot_events, cold_events, cold_files, took_ms: tenthsSince(started) }
      return c.body(renderEvents(format, page, next_cursor, meta), 200, {
        'content-type': CONTENT_TYPES[format],
      })
    },
    ...Object.fromEntries(
      QUESTIONS.flatMap((definition) => [
        [`GET ${statsRoute(definition.name)}`, ofUrl(definition)],
        [`POST ${statsRoute(definition.name)}`, ofBody(definition)],
      ]),
    ),
    'GET /tiers': async (c) => c.json(await askFor(c, (asker) => query.tiers(asker))),
  }
}

/** @throws {Problem} */
async function readQuestion(body: Body): Promise<Query> {
  if (body.media_type !== 'application/json' && body.media_type !== 'text/plain') {
    throw new Problem('unsupported_media_type', 'Content-Type must be application/json.')
  }
  if (sizeOf(body) > QUESTION_BYTES_MAX) {
    throw new Problem('body_too_large', `A question may have at most ${QUESTION_BYTES_MAX} bytes.`)
  }
  try {
    return queryOfBody(
      parseExactJson(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(body.parts))),
    )
  } catch (error) {
    if (error instanceof Problem) throw error
    throw new Problem('not_json', 'The body could not be read as JSON.')
  }
}

/** Milliseconds since `started`, rounded to one decimal. */
function tenthsSince(started: number): number {
  return Math.round((performance.now() - started) * 10) / 10
}

/** Runs a query, and interrupts it if the client disconnects. */
async function askFor<T>(c: Context<Env>, ask: (asker: Asker) => Promise<T>): Promise<T> {
  const { signal } = c.req.raw
  try {
    return await ask({ caller: c.get('bucket')!, signal })
  } catch (error) {
    throw signal.aborted ? new Problem('client_left', 'The query was interrupted.') : error
  }
}
