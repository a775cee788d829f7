import type { Stored } from '../hot/writer.ts'
import type { ProblemEntry } from '../problem/problem.ts'

/** The reply to a batch, composed of the result of validation and the counts of the writer. */

/** The result of validation, known before anything is stored. */
export interface Judged {
  received: number
  rejected: number
  errors: ProblemEntry[]
  errors_truncated?: true
}

export interface IngestReply extends Stored, Judged {
  /** Rejected events that are not kept as dead letters; one letter counts them. Absent if there are none. */
  events_omitted?: number
}

export function composeReply({ received, ...judged }: Judged, { accepted, duplicates }: Stored): IngestReply {
  return { received, accepted, duplicates, ...judged }
}
