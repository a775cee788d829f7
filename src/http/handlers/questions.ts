import type { Context } from 'hono'
import type { Micros } from '../../event/time.ts'
import { Problem } from '../../problem/problem.ts'
import { parseEventsQuestion } from '../../query/events-parameters.ts'
import { nextCursor, nextLink, renderEvents } from '../../query/events-reply.ts'
import { answerFormat, CONTENT_TYPES } from '../../query/format.ts'
import type { Meta } from '../../query/question.ts'
import type { Asker, Queries } from '../../query/tier.ts'
import { answerOf, csvOf } from '../../questions/answer.ts'
import type { Definition } from '../../questions/definition.ts'
import { parseQuestion } from '../../questions/parameters.ts'
import { QUESTIONS } from '../../questions/table.ts'
import type { Env, Handler, Handlers } from '../handler.ts'
import { statsRoute } from '../routes.ts'

/** `GET /events`, `/stats/*` and `/tiers`. */

/** @param now_us the wall clock */
export function questionHandlers(
  query: Queries,
  now_us: () => Micros,
): Handlers<'GET /events' | `GET /stats/${string}` | 'GET /tiers'> {
  const answer =
    (definition: Definition): Handler =>
    async (c) => {
      const started = performance.now()
      const { format: given, ...parameters } = c.req.queries()
      const format = answerFormat(['json', 'csv'], given, c.req.header('accept'))
      const asked = parseQuestion(definition, parameters, now_us())
      const { rows, ...read } = await askFor(c, (asker) => query.ask(asked, asker))
      const meta: Meta = { ...read, took_ms: tenthsSince(started) }
      const shaped = answerOf(asked, rows)
      c.header('vary', 'Accept', { append: true })
      if (format === 'csv') return c.body(csvOf(asked, shaped), 200, { 'content-type': CONTENT_TYPES.csv })
      return c.json({ ...shaped, meta })
    }

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
      QUESTIONS.map((definition) => [`GET ${statsRoute(definition.name)}`, answer(definition)]),
    ),
    'GET /tiers': async (c) => c.json(await askFor(c, (asker) => query.tiers(asker))),
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
