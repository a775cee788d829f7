import * as v from 'valibot'
import { parseExactJson } from '../event/json.ts'
import { formatInstant } from '../event/time.ts'
import { Problem } from '../problem/problem.ts'
import { integer } from '../questions/parts/parameters.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { findLetter, listLetters } from './shelf.ts'
import type { KeptLetter, LetterEntry } from './shelf.ts'

/** Lists and shows dead letters for the HTTP API and the command line. */

export const LETTERS_LISTED_MAX = 1_000

export const LETTERS_SCHEMA = v.strictObject({
  reason: v.optional(v.string()),
  cursor: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^\d{1,15}$/, 'must be the next_cursor of an earlier response'),
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
 * Lists a page of letters, newest first.
 * @param query `reason`, `cursor` and `limit`, as strings
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
    // One more than the page tells whether there is another page.
    limit: limit + 1,
    ...(reason === undefined ? {} : { reason }),
    ...(cursor === undefined ? {} : { before: cursor }),
  })
  const listed = found.slice(0, limit)
  const next_cursor = found.length > limit ? String(listed.at(-1)!.id) : null
  return { data: listed.map(shapeEntry), next_cursor }
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
  return new Problem('not_found', 'There is no such dead letter, or it was replayed, deleted or evicted.')
}

export function shapeLetter(letter: KeptLetter) {
  return { ...shapeEntry(letter), event: parseExactJson(letter.body) }
}

/** The JSON text of {@link shapeLetter}, without parsing the event. */
export function letterText(letter: KeptLetter): string {
  return `${JSON.stringify(shapeEntry(letter)).slice(0, -1)},"event":${letter.body}}`
}

function shapeEntry({
  id,
  received_at,
  source,
  path,
  message,
  event_id,
  is_cut,
  events_omitted,
}: LetterEntry) {
  return {
    id,
    received_at: formatInstant(received_at),
    source,
    path,
    message,
    event_id,
    is_cut,
    events_omitted,
  }
}
