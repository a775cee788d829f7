import * as v from 'valibot'
import { dayOf } from '../event/time.ts'
import type { Day, Micros } from '../event/time.ts'
import { expression } from '../questions/parts/expression.ts'
import type { ProblemEntry } from '../problem/problem.ts'
import { belongsTo, CURSOR_CHARS, readCursor } from './cursor.ts'
import type { Cursor } from './cursor.ts'
import { EVENTS_FORMATS } from './events-reply.ts'
import type { EventsFormat } from './events-reply.ts'
import { acceptedFormat } from './format.ts'
import { allOf, day, integer, rangeFault, readParameters, refuse } from '../questions/parts/parameters.ts'
import type { EventsQuestion } from './question.ts'

/** Parses the parameters of `GET /events`. */

export const EVENTS_LIMIT_DEFAULT = 100
/** A client must parse a JSON reply as a whole; the other formats can be read line by line. */
export const EVENTS_LIMIT_MAX = {
  json: 1_000,
  ndjson: 10_000,
  csv: 10_000,
} as const satisfies Record<EventsFormat, number>

/** Default of `to`: tomorrow, because a client's clock may be up to a day ahead. */
const DAYS_AHEAD = 1
/** Default of `from`. */
const DAYS_BEFORE_TO = 7

const cursor = v.pipe(
  v.string(),
  v.metadata({ json_schema: { type: 'string', minLength: CURSOR_CHARS, maxLength: CURSOR_CHARS } }),
  v.transform(readCursor),
  v.custom<Cursor>((read) => read !== null, `must be a next_cursor of ${CURSOR_CHARS} characters`),
)

const format = v.picklist(EVENTS_FORMATS, 'must be json, ndjson or csv')

export const eventsSchema = (limit_max: number) =>
  v.object({
    from: v.optional(day),
    to: v.optional(day),
    limit: v.optional(integer(1, limit_max), String(EVENTS_LIMIT_DEFAULT)),
    cursor: v.optional(cursor),
    where: v.optional(expression),
    format: v.optional(format),
  })

/**
 * Parses a question for events and the format of the reply, from `format` or else from `Accept`.
 * @throws {Problem} `invalid_parameter`, with every invalid parameter
 */
export function parseEventsQuestion(
  query: Readonly<Record<string, string[]>>,
  accept: string | undefined,
  now_us: Micros,
): { question: EventsQuestion; format: EventsFormat } {
  const named = v.safeParse(format, query['format']?.[0])
  const answer_in = named.success ? named.output : acceptedFormat(EVENTS_FORMATS, accept)
  const schema = eventsSchema(EVENTS_LIMIT_MAX[answer_in])
  const { output, filters, errors } = readParameters(schema, query, ['user_id', 'event_type'])
  if (output === null || errors.length > 0) throw refuse(errors)
  const days = rangeOf(output, dayOf(now_us))
  const filter = allOf(output.where === undefined ? filters : [output.where, ...filters])
  const fault = rangeFault(days) ?? cursorFault(output.cursor, { ...days, filter })
  if (fault !== null) throw refuse([fault])
  const question = { ...days, filter, limit: output.limit, after: output.cursor?.after ?? null }
  return { question, format: answer_in }
}

interface Given {
  from?: Day | undefined
  to?: Day | undefined
  cursor?: Cursor | undefined
}

function rangeOf(given: Given, today: Day): { from: Day; to: Day } {
  const to = given.to ?? given.cursor?.to ?? today + DAYS_AHEAD
  // `to` can be less than 7 days after 1970-01-01.
  return { from: given.from ?? given.cursor?.from ?? Math.max(0, to - DAYS_BEFORE_TO), to }
}

function cursorFault(
  read: Cursor | undefined,
  filters: Pick<EventsQuestion, 'from' | 'to' | 'filter'>,
): ProblemEntry | null {
  if (read === undefined || belongsTo(read, filters)) return null
  return { path: 'cursor', message: 'belongs to other days or filters, or was changed' }
}
