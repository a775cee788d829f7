import { Hono } from 'hono'
import type { Context } from 'hono'
import { incomingBody } from '../incoming.ts'
import type { Sqlite } from '../../store/sqlite.ts'
import {
  listPage,
  openLetter,
  replayLetter,
  shapeLetter,
  sourceOf,
  wrongParameters,
} from '../../dead-letters/desk.ts'
import type { ReplayDeps } from '../../dead-letters/desk.ts'

/** `/dead-letters`: what was rejected, to be looked at, sent again, or thrown away. */

export interface DeadLetterDeps extends ReplayDeps {
  /** Opened for reading; short statements by index or within a page. */
  db: Sqlite
}

export function createDeadLetterRoutes({ db, ...deps }: DeadLetterDeps): Hono {
  const routes = new Hono()
  const letterOf = (c: Context) => openLetter(db, c.req.param('id') ?? '')

  routes.get('/', (c) => c.json(listPage(db, queryOf(c))))

  routes.get('/:id', (c) => c.json(shapeLetter(letterOf(c))))

  routes.post('/:id/replay', async function replayDeadLetter(c) {
    const corrected = hasBody(c) ? incomingBody(c) : null
    return c.json(await replayLetter(deps, letterOf(c), corrected))
  })

  routes.delete('/:id', async function deleteDeadLetter(c) {
    // A replay of nothing: the writer takes the letter away, if nobody else has.
    const letter = letterOf(c)
    const nothing = deps.judging.values([])
    await deps.ingest(nothing, { strict: true, source: sourceOf(letter), letter_id: letter.id })
    return c.body(null, 204)
  })

  return routes
}

function queryOf(c: Context): Record<string, string> {
  const query = Object.entries(c.req.queries())
  if (query.some(([, values]) => values.length > 1)) throw wrongParameters()
  return Object.fromEntries(query.map(([name, [value = '']]) => [name, value]))
}

function hasBody(c: Context): boolean {
  return Number(c.req.header('content-length') ?? 0) > 0 || c.req.header('transfer-encoding') !== undefined
}
