import { Hono } from 'hono'
import type { Context } from 'hono'
import { Problem } from '../../problem/problem.ts'
import { nowMicros } from '../../event/time.ts'
import { shapeAnswer } from '../../query/answer.ts'
import type { Row } from '../../query/answer.ts'
import { toCsv } from '../../query/csv.ts'
import { parseEventsQuestion } from '../../query/events-parameters.ts'
import { nextCursor, nextLink, renderEvents } from '../../query/events-reply.ts'
import { answerFormat, CONTENT_TYPES } from '../format.ts'
import { parseQuestion } from '../../query/parameters.ts'
import type { Meta, Question } from '../../query/question.ts'
import type { Queries } from '../../query/tier.ts'

/** What can be asked: events themselves, questions about them, and what lies where. */

export function createQueryRoutes(query: Queries): Hono {
  const routes = new Hono()

  routes.get('/events', async function getEvents(c) {
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
    async function answerQuestion(c: Context) {
      const started = performance.now()
      const { format: given, ...parameters } = c.req.queries()
      const format = answerFormat(['json', 'csv'], given, c.req.header('accept'))
      const question = parseQuestion(kind, parameters)
      const { rows, ...read } = await askFor(c, (signal) => query.ask(question, signal))
      const meta: Meta = { ...read, took_ms: Math.round((performance.now() - started) * 10) / 10 }
      const shaped = shapeAnswer(question, rows as readonly Row[])
      c.header('vary', 'Accept', { append: true })
      if (format === 'csv') return c.body(toCsv(shaped), 200, { 'content-type': CONTENT_TYPES.csv })
      return c.json({ ...shaped, meta })
    }
  routes.get('/stats/dau', answer('dau'))
  routes.get('/stats/top-events', answer('top_events'))
  routes.get('/stats/retention', answer('retention'))

  routes.get('/tiers', async function getTiers(c) {
    return c.json(await askFor(c, (signal) => query.tiers(signal)))
  })

  return routes
}

/** Asks as long as somebody waits for the answer. */
async function askFor<T>(c: Context, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { signal } = c.req.raw
  try {
    return await ask(signal)
  } catch (error) {
    throw signal.aborted ? new Problem('client_left', 'The question was interrupted.') : error
  }
}
