import type { KeptLetter } from '../dead-letters/shelf.ts'
import { parseExactJson } from '../event/json.ts'
import { Problem } from '../problem/problem.ts'
import type { BodyReader, IncomingBody } from './body.ts'
import type { Ingest } from './ingest.ts'
import type { Judgement } from './judge.ts'
import type { Judging } from './judging.ts'
import type { IngestReply } from './reply.ts'

/** Replays and deletes dead letters. */

export interface ReplayDeps {
  judging: Pick<Judging, 'body' | 'values'>
  ingest: Ingest
  bodies: BodyReader
  /** Why nothing can be stored at present; null if events are accepted. */
  refusal: () => Problem | null
}

/**
 * Ingests a letter again and deletes it in the transaction that stores the event. If several clients
 * replay the same letter at once, one succeeds and the others get `not_found`.
 * @param corrected a body with the event to store instead; null to replay the letter as it is
 * @throws {Problem} if the body or the event is rejected, or nothing can be stored; `not_found` if the letter no
 * longer exists
 */
export async function replayLetter(
  { judging, ingest, bodies, refusal }: ReplayDeps,
  letter: KeptLetter,
  corrected: IncomingBody | null,
): Promise<IngestReply> {
  if (letter.events_omitted > 0) {
    throw new Problem(
      'invalid_events',
      `This letter only counts ${letter.events_omitted} rejected events, which were not kept. Send them again.`,
    )
  }
  async function replay(judgement: Judgement): Promise<IngestReply> {
    if (judgement.judged.received !== 1) throw new Problem('invalid_events', 'Send exactly one event.')
    const { reply } = await ingest(judgement, {
      strict: true,
      source: sourceOf(letter),
      letter_id: letter.id,
    })
    return reply
  }
  const fault = refusal()
  if (fault !== null) throw fault
  if (corrected !== null) return bodies.withBody(corrected, async (body) => replay(await judging.body(body)))
  if (!letter.is_cut) return replay(judging.values([parseExactJson(letter.body)]))
  throw new Problem('invalid_events', 'Only the beginning of this event was kept. Send the whole event.')
}

/**
 * Deletes a letter by replaying it with an empty batch, so that the writer deletes it in a transaction.
 * @throws {Problem} `not_found` if the letter no longer exists
 */
export async function deleteLetter(
  { judging, ingest }: Pick<ReplayDeps, 'judging' | 'ingest'>,
  letter: KeptLetter,
): Promise<void> {
  await ingest(judging.values([]), { strict: true, source: sourceOf(letter), letter_id: letter.id })
}

/** The `source` of a dead letter that a replay creates. */
function sourceOf({ id }: { id: number }): string {
  return `dead letter ${id}`
}
