import type { KeptLetter } from '../dead-letters/shelf.ts'
import { Problem } from '../problem/problem.ts'
import type { BodyReader, IncomingBody } from './body.ts'
import type { Ingest } from './ingest.ts'
import type { Judgement } from './judge.ts'
import type { Judging } from './judging.ts'
import type { IngestReply } from './reply.ts'

/** Dead letters that are sent again, or deleted. */

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

/** Deletes a letter: a replay of nothing, so that the writer takes it away if nobody else has. */
export async function deleteLetter(
  { judging, ingest }: Pick<ReplayDeps, 'judging' | 'ingest'>,
  letter: KeptLetter,
): Promise<void> {
  await ingest(judging.values([]), { strict: true, source: sourceOf(letter), letter_id: letter.id })
}

/** Who sends the events that come out of a letter. */
function sourceOf({ id }: { id: number }): string {
  return `dead letter ${id}`
}
