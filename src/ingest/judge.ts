import { countRest, LETTERS_PER_REQUEST_MAX, writeLetter } from '../dead-letters/letter.ts'
import type { Letter } from '../dead-letters/letter.ts'
import { packEvents } from '../event/batch.ts'
import type { Event } from '../event/event.ts'
import { isEventId } from '../event/id.ts'
import type { Judge } from '../event/judge.ts'
import type { FieldError, ProblemEntry } from '../problem/problem.ts'
import type { Body } from './body.ts'
import type { Content, SealedContent } from './event-store.ts'
import { tooManyEvents, Unreadable } from './formats/batch.ts'
import type { Batch } from './formats/batch.ts'
import { FORMATS } from './formats/formats.ts'
import type { Judged } from './reply.ts'

/**
 * Validates the events of a batch: which are stored,
 * which become dead letters, and which errors the reply lists.
 */

/** More errors do not help to find the mistake, and can make the reply larger than the request. */
export const ERRORS_LISTED_MAX = 100

/** The result of validating a batch. */
export interface Judgement<C = Content | SealedContent> {
  judged: Judged
  content: C
}

/**
 * Parses a body in its format and validates its events.
 * @throws {Problem} `too_many_events`, or the format's problem if the body cannot be parsed at all
 */
export function judgeBody(judge: Judge, body: Body, events_max: number): Judgement<Content> {
  return judgeBatch(judge, parseBody(body, events_max))
}

/** Parses a body in its format. Errors as for {@link judgeBody}. */
export function parseBody({ media_type, parts }: Body, events_max: number): Batch {
  const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  const batch = FORMATS.get(media_type)!(bytes, events_max)
  if (batch.length > events_max) throw tooManyEvents(events_max)
  return batch
}

/** Validates the parsed events of a batch. */
export function judgeBatch(judge: Judge, batch: Batch): Judgement<Content> {
  const run = openRun(judge, batch)
  while (run.step());
  return run.end()
}

/** The validation of a batch, event by event. */
export interface Run {
  /** Validates the next event. Returns false if there is none. */
  step(): boolean
  /** The result, when all are validated. */
  end(): Judgement<Content>
}

export function openRun(judge: Judge, batch: Batch): Run {
  const valid: Event[] = []
  const letters: Letter[] = []
  const errors: ProblemEntry[] = []
  let rejected = 0
  let index = 0

  function reject(value: unknown, error: FieldError): void {
    rejected += 1
    if (rejected > LETTERS_PER_REQUEST_MAX) return
    const event_id = readableId(value)
    letters.push(writeLetter(value instanceof Unreadable ? value.text : value, event_id, error))
    if (errors.length < ERRORS_LISTED_MAX)
      errors.push({ index, ...(event_id === null ? {} : { event_id }), ...error })
  }

  return {
    step() {
      if (index === batch.length) return false
      const value = batch[index]
      const verdict = value instanceof Unreadable ? value : judge(value)
      if ('event' in verdict) valid.push(verdict.event)
      else reject(value, verdict.error)
      index += 1
      return true
    },
    end() {
      if (rejected > letters.length) letters.push(countRest(rejected - letters.length))
      const cut = rejected > errors.length ? { errors_truncated: true as const } : {}
      return {
        judged: { received: batch.length, rejected, errors, ...cut },
        content: { batch: packEvents(valid), letters },
      }
    },
  }
}

/** The event's id in lower case, or null if it is not a valid UUID: other client input is never echoed. */
function readableId(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || !('event_id' in value)) return null
  const { event_id } = value
  return typeof event_id === 'string' && isEventId(event_id) ? event_id.toLowerCase() : null
}
