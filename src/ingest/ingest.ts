import type { Event, EventSchema } from '../event.ts'
import { judgeEvent } from '../event.ts'
import { isEventId } from '../event-id.ts'
import { packEvents } from '../hot/batch.ts'
import type { HotTier } from '../hot/tier.ts'
import { Problem } from '../problem.ts'
import type { ProblemEntry } from '../problem.ts'
import { tooManyEvents, Unreadable } from './batch.ts'
import type { Batch } from './batch.ts'

/** More than this helps nobody to find the mistake, and makes the reply larger than the request. */
export const ERRORS_LISTED_MAX = 100

export interface IngestReply {
  received: number
  accepted: number
  duplicates: number
  rejected: number
  errors: ProblemEntry[]
  errors_truncated?: true
}

/** Judges a batch and stores what is valid. */
export interface Ingest {
  /**
   * @param strict store nothing if any event is invalid
   * @throws {Problem} `too_many_events`, `invalid_events`, `queue_full`, `store_unavailable`
   */
  (batch: Batch, strict: boolean): Promise<IngestReply>
}

export function createIngest(schema: EventSchema, hot: HotTier, events_max: number): Ingest {
  return async function ingest(batch, strict) {
    if (batch.length > events_max) throw tooManyEvents(events_max)
    const { valid, rejected, errors } = judgeBatch(schema, batch)
    const listed = { errors, ...(rejected > errors.length ? { errors_truncated: true as const } : {}) }
    if (rejected > 0 && (strict || valid.length === 0)) {
      throw new Problem(
        'invalid_events',
        `${rejected} of ${batch.length} events are invalid; nothing was stored.`,
        { errors, extra: { received: batch.length, accepted: 0, duplicates: 0, rejected, ...listed } },
      )
    }
    const { accepted, duplicates } = await hot.append(packEvents(valid))
    return { received: batch.length, accepted, duplicates, rejected, ...listed }
  }
}

function judgeBatch(
  schema: EventSchema,
  batch: Batch,
): { valid: Event[]; rejected: number; errors: ProblemEntry[] } {
  const valid: Event[] = []
  const errors: ProblemEntry[] = []
  let rejected = 0
  for (const [index, value] of batch.entries()) {
    const verdict = value instanceof Unreadable ? value : judgeEvent(schema, value)
    if ('event' in verdict) {
      valid.push(verdict.event)
      continue
    }
    rejected += 1
    if (errors.length < ERRORS_LISTED_MAX) errors.push({ index, ...readableId(value), ...verdict.error })
  }
  return { valid, rejected, errors }
}

/** The event's id, if it has one that is certainly an id and not something else of the client's. */
function readableId(value: unknown): { event_id?: string } {
  if (typeof value !== 'object' || value === null || !('event_id' in value)) return {}
  const { event_id } = value
  return typeof event_id === 'string' && isEventId(event_id) ? { event_id: event_id.toLowerCase() } : {}
}
