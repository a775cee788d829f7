import type { Stored } from '../hot/writer.ts'
import type { ProblemEntry } from '../problem/problem.ts'

/** The reply to a batch, and how it comes about: what judging found, and what the writer stored. */

/** What is known before anything is stored. */
export interface Judged {
  received: number
  rejected: number
  errors: ProblemEntry[]
  errors_truncated?: true
}

export interface IngestReply extends Stored, Judged {}

export function composeReply({ received, ...judged }: Judged, { accepted, duplicates }: Stored): IngestReply {
  return { received, accepted, duplicates, ...judged }
}
