import { Hono } from 'hono'
import type { Context } from 'hono'
import * as v from 'valibot'
import type { Batch } from '../ingest/batch.ts'
import type { BodyReader } from '../ingest/body.ts'
import { incomingBody } from '../ingest/incoming.ts'
import type { Ingest } from '../ingest/ingest.ts'
import { Problem } from '../problem.ts'
import { integer } from '../query/parameters.ts'
import type { Sqlite } from '../sqlite.ts'
import { formatInstant } from '../time.ts'
import { findLetter, listLetters } from './shelf.ts'
import type { KeptLetter, LetterEntry } from './shelf.ts'

/** `/dead-letters`: what was rejected, to be looked at, sent again, or thrown away. */

export const LETTERS_LISTED_MAX = 1_000

export interface DeadLetterDeps {
  /** Opened for reading; short statements by index or within a page. */
  db: Sqlite
  ingest: Ingest
  bodies: BodyReader
}

export const LETTERS_SCHEMA = v.strictObject({
  reason: v.optional(v.string()),
  cursor: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^\d{1,15}$/, 'must be the next_cursor of an earlier answer'),
      v.transform(Number),
    ),
  ),
  limit: v.optional(integer(1, LETTERS_LISTED_MAX), '100'),
})

export function createDeadLetterRoutes({ db, ingest, bodies }: DeadLetterDeps): Hono {
  const routes = new Hono()

  routes.get('/', function listDeadLetters(c) {
    const { reason, cursor, limit } = readQuery(c)
    const found = listLetters(db, {
      limit,
      ...(reason === undefined ? {} : { reason }),
      ...(cursor === undefined ? {} : { before: cursor }),
    })
    const next_cursor = found.length === limit ? String(found.at(-1)!.id) : null
    return c.json({ data: found.map(shapeEntry), next_cursor })
  })

  routes.get('/:id', (c) => c.json(shapeLetter(letterOf(c))))

  routes.post('/:id/replay', async function replayDeadLetter(c) {
    const letter = letterOf(c)
    const source = `dead letter ${letter.id}`
    const replay = async (batch: Batch) => {
      if (batch.length !== 1) throw new Problem('invalid_events', 'Send the one event that is to be stored.')
      const { reply } = await ingest(batch, { strict: true, source, letter_id: letter.id })
      return c.json(reply)
    }
    if (hasBody(c)) return bodies.withBatch(incomingBody(c), replay)
    if (!letter.is_cut) return replay([JSON.parse(letter.body)])
    throw new Problem('invalid_events', 'Only the beginning of this event was kept. Send the whole event.')
  })

  routes.delete('/:id', async function deleteDeadLetter(c) {
    // A replay of nothing: the writer takes the letter away, if nobody else has.
    const { id } = letterOf(c)
    await ingest([], { strict: true, source: `dead letter ${id}`, letter_id: id })
    return c.body(null, 204)
  })

  function letterOf(c: Context): KeptLetter {
    const id = c.req.param('id') ?? ''
    const letter = /^\d{1,15}$/.test(id) ? findLetter(db, Number(id)) : null
    if (letter === null)
      throw new Problem(
        'not_found',
        'There is no such dead letter, or it was replayed, deleted or pushed out.',
      )
    return letter
  }

  return routes
}

function readQuery(c: Context): v.InferOutput<typeof LETTERS_SCHEMA> {
  const query = c.req.queries()
  const repeated = Object.entries(query).find(([, values]) => values.length > 1)
  const single = Object.fromEntries(Object.entries(query).map(([name, [value]]) => [name, value]))
  const result = v.safeParse(LETTERS_SCHEMA, single)
  if (result.success && repeated === undefined) return result.output
  const issue = result.issues?.[0]
  const key = String(issue?.path?.[0]?.key ?? '')
  const known = Object.hasOwn(LETTERS_SCHEMA.entries, key)
  const errors = [
    known
      ? { path: key, message: issue!.message }
      : { path: '', message: 'the parameters are reason, cursor and limit, each once' },
  ]
  throw new Problem('invalid_parameter', `${errors[0]!.path} ${errors[0]!.message}`.trim(), { errors })
}

function hasBody(c: Context): boolean {
  return Number(c.req.header('content-length') ?? 0) > 0 || c.req.header('transfer-encoding') !== undefined
}

function shapeEntry({ id, received_at, source, path, message: reason, event_id, is_cut }: LetterEntry) {
  return { id, received_at: formatInstant(received_at), source, path, message: reason, event_id, is_cut }
}

function shapeLetter(letter: KeptLetter) {
  return { ...shapeEntry(letter), event: JSON.parse(letter.body) as unknown }
}
