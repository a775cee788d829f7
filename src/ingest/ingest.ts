import type { Event, EventSchema } from '../event.ts'
import { judgeEvent } from '../event.ts'
import { isEventId } from '../event-id.ts'
import { writeLetter } from '../dead-letters/letter.ts'
import type { Letter } from '../dead-letters/letter.ts'
import { packEvents } from '../hot/batch.ts'
import type { HotTier } from '../hot/tier.ts'
import { Problem } from '../problem.ts'
import type { ProblemEntry } from '../problem.ts'
import type { Micros } from '../time.ts'
import { tooManyEvents, Unreadable } from './batch.ts'
import type { Batch } from './batch.ts'
import type { KeyedRequest } from './idempotency.ts'
import { composeReply } from './reply.ts'
import type { IngestReply, Judged } from './reply.ts'

/** More than this helps nobody to find the mistake, and makes the reply larger than the request. */
export const ERRORS_LISTED_MAX = 100

export interface IngestRequest {
  /** Store nothing if any event is invalid. */
  strict: boolean
  /** Who sent it, for the dead letters. */
  source: string
  /** The request named an Idempotency-Key. */
  keyed?: KeyedRequest
  /** The batch replays this dead letter. */
  letter_id?: number
}

export interface Ingested {
  reply: IngestReply
  /** The reply is that of an earlier request with the same Idempotency-Key, and nothing was done now. */
  replayed: boolean
}

/** Judges a batch, stores what is valid and keeps what is not as dead letters. */
export interface Ingest {
  /**
   * @throws {Problem} `too_many_events`, `invalid_events`, `idempotency_key_reused`, `not_found` for a letter that is gone,
   * `queue_full`, `store_unavailable`
   */
  (batch: Batch, request: IngestRequest): Promise<Ingested>
}

export interface IngestOptions {
  schema: EventSchema
  hot: Pick<HotTier, 'append'>
  now_us: () => Micros
  events_max: number
}

export function createIngest({ schema, hot, now_us, events_max }: IngestOptions): Ingest {
  return async function ingest(batch, { strict, source, keyed, letter_id }) {
    if (batch.length > events_max) throw tooManyEvents(events_max)
    const { valid, letters, judged } = judgeBatch(schema, batch)
    if (strict && judged.rejected > 0) throw refused(composeReply(judged, NOTHING))
    const appended = await hot.append({
      batch: packEvents(valid),
      judged,
      letters,
      source,
      received_at: now_us(),
      keyed: keyed ?? null,
      letter_id: letter_id ?? null,
    })
    switch (appended.outcome) {
      case 'key_reused':
        throw new Problem('idempotency_key_reused', 'Choose a new key for every batch.')
      case 'letter_gone':
        throw new Problem('not_found', 'The dead letter was replayed or deleted meanwhile.')
      case 'stored':
      case 'replayed':
        return { reply: appended.reply, replayed: appended.outcome === 'replayed' }
    }
  }
}

const NOTHING = { accepted: 0, duplicates: 0 }

/** The problem that says the same as a reply in which every event was rejected. */
export function refused(reply: IngestReply, headers: Record<string, string> = {}): Problem {
  return new Problem(
    'invalid_events',
    `${reply.rejected} of ${reply.received} events are invalid; nothing was stored.`,
    { errors: reply.errors, extra: { ...reply }, headers },
  )
}

function judgeBatch(
  schema: EventSchema,
  batch: Batch,
): { valid: Event[]; letters: Letter[]; judged: Judged } {
  const valid: Event[] = []
  const letters: Letter[] = []
  const errors: ProblemEntry[] = []
  for (const [index, value] of batch.entries()) {
    const verdict = value instanceof Unreadable ? value : judgeEvent(schema, value)
    if ('event' in verdict) {
      valid.push(verdict.event)
      continue
    }
    const event_id = readableId(value)
    letters.push(writeLetter(value instanceof Unreadable ? value.text : value, event_id, verdict.error))
    if (errors.length < ERRORS_LISTED_MAX)
      errors.push({ index, ...(event_id === null ? {} : { event_id }), ...verdict.error })
  }
  const rejected = letters.length
  const cut = rejected > errors.length ? { errors_truncated: true as const } : {}
  return { valid, letters, judged: { received: batch.length, rejected, errors, ...cut } }
}

/** The event's id, if it has one that is certainly an id and not something else of the client's. */
function readableId(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || !('event_id' in value)) return null
  const { event_id } = value
  return typeof event_id === 'string' && isEventId(event_id) ? event_id.toLowerCase() : null
}
