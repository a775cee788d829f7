import type { Context } from 'hono'
import { letterText, listPage, openLetter, wrongParameters } from '../../dead-letters/desk.ts'
import { deleteLetter, replayLetter } from '../../ingest/replay.ts'
import type { ReplayDeps } from '../../ingest/replay.ts'
import type { Sqlite } from '../../store/sqlite.ts'
import type { Handlers } from '../handler.ts'
import { incomingBody } from '../incoming.ts'

/** `/dead-letters`: lists, shows, replays and deletes rejected events. */

export interface LetterDeps extends ReplayDeps {
  /** A read-only connection. Statements are short, because they run on the event loop. */
  db: Sqlite
}

export function letterHandlers({
  db,
  ...deps
}: LetterDeps): Handlers<
  'GET /dead-letters' | 'GET /dead-letters/:id' | 'POST /dead-letters/:id/replay' | 'DELETE /dead-letters/:id'
> {
  const letterOf = (c: Context) => openLetter(db, c.req.param('id') ?? '')

  return {
    'GET /dead-letters': (c) => c.json(listPage(db, queryOf(c))),
    'GET /dead-letters/:id': (c) =>
      c.body(letterText(letterOf(c)), 200, { 'content-type': 'application/json' }),
    async 'POST /dead-letters/:id/replay'(c) {
      const corrected = hasBody(c) ? incomingBody(c) : null
      return c.json(await replayLetter(deps, letterOf(c), corrected))
    },
    async 'DELETE /dead-letters/:id'(c) {
      await deleteLetter(deps, letterOf(c))
      return c.body(null, 204)
    },
  }
}

function queryOf(c: Context): Record<string, string> {
  const query = Object.entries(c.req.queries())
  if (query.some(([, values]) => values.length > 1)) throw wrongParameters()
  return Object.fromEntries(query.map(([name, [value = '']]) => [name, value]))
}

function hasBody(c: Context): boolean {
  return Number(c.req.header('content-length') ?? 0) > 0 || c.req.header('transfer-encoding') !== undefined
}
