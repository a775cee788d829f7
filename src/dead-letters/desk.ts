import * as v from 'valibot'
import type { BodyReader, IncomingBody } from '../ingest/body.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { Judgement } from '../ingest/judge.ts'
import type { Judging } from '../ingest/judging.ts'
import type { IngestReply } from '../ingest/reply.ts'
import { Problem } from '../problem/problem.ts'
import { integer } from '../query/parameters.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { formatInstant } from '../event/time.ts'
import { findLetter, listLetters } from './shelf.ts'
import type { KeptLetter, LetterEntry } from './shelf.ts'

/** What people do with dead letters, over HTTP and from the command line: read them, and send them again. */

export const LETTERS_LISTED_MAX = 1_000

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

export type ListedLetter = ReturnType<typeof shapeEntry>

export interface LetterPage {
  data: ListedLetter[]
  next_cursor: string | null
}

/**
 * A page of letters, newest first.
 * @param query `reason`, `cursor` and `limit`, as text
 * @throws {Problem} `invalid_parameter`
 */
export function listPage(db: Sqlite, query: Readonly<Record<string, string>>): LetterPage {
  const result = v.safeParse(LETTERS_SCHEMA, query)
  if (!result.success) {
    const [issue] = result.issues
    const key = String(issue.path?.[0]?.key ?? '')
    throw Object.hasOwn(LETTERS_SCHEMA.entries, key) ? wrongParameter(key, issue.message) : wrongParameters()
  }
  const { reason, cursor, limit } = result.output
  const found = listLetters(db, {
    limit,
    ...(reason === undefined ? {} : { reason }),
    ...(cursor === undefined ? {} : { before: cursor }),
  })
  const next_cursor = found.length === limit ? String(found.at(-1)!.id) : null
  return { data: found.map(shapeEntry), next_cursor }
}

export function wrongParameters(): Problem {
  return wrongParameter('', 'the parameters are reason, cursor and limit, each once')
}

function wrongParameter(path: string, fault: string): Problem {
  return new Problem('invalid_parameter', `${path} ${fault}`.trim(), { errors: [{ path, message: fault }] })
}

/** @throws {Problem} `not_found` */
export function openLetter(db: Sqlite, id: string): KeptLetter {
  const letter = /^\d{1,15}$/.test(id) ? findLetter(db, Number(id)) : null
  if (letter === null) throw letterGone()
  return letter
}

export function letterGone(): Problem {
  return new Problem('not_found', 'There is no such dead letter, or it was replayed, deleted or pushed out.')
}

export interface ReplayDeps {
  judging: Pick<Judging, 'body' | 'values'>
  ingest: Ingest
  bodies: BodyReader
}

/**
 * Sends a letter again. It goes in the transaction that stores the event, so that of several who try one alone stores it.
 * @param corrected the body that holds the event to be stored in its place; null for the letter as it is
 * @throws {Problem} what the body or the event is refused for; `not_found` if the letter is gone
 */
export async function replayLetter(
  { judging, ingest, bodies }: ReplayDeps,
  letter: KeptLetter,
  corrected: IncomingBody | null,
): Promise<IngestReply> {
  async function replay(judgement: Judgement): Promise<IngestReply> {
    if (judgement.judged.received !== 1)
      throw new Problem('invalid_events', 'Send the one event that is to be stored.')
    const { reply } = await ingest(judgement, {
      strict: true,
      source: sourceOf(letter),
      letter_id: letter.id,
    })
    return reply
  }
  if (corrected !== null) return bodies.withBody(corrected, async (body) => replay(await judging.body(body)))
  if (!letter.is_cut) return replay(judging.values([JSON.parse(letter.body)]))
  throw new Problem('invalid_events', 'Only the beginning of this event was kept. Send the whole event.')
}

/** Who sends the events that come out of a letter. */
export function sourceOf({ id }: { id: number }): string {
  return `dead letter ${id}`
}

export function shapeLetter(letter: KeptLetter) {
  return { ...shapeEntry(letter), event: JSON.parse(letter.body) as unknown }
}

function shapeEntry({ id, received_at, source, path, message: reason, event_id, is_cut }: LetterEntry) {
  return { id, received_at: formatInstant(received_at), source, path, message: reason, event_id, is_cut }
}
