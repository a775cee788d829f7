import { LETTERS_LISTED_MAX, LETTERS_SCHEMA } from '../../../dead-letters/desk.ts'
import { jsonBody, jsonReply, refusal } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { queryOf } from '../parameters.ts'
import { ref } from '../schemas.ts'
import { WHEN_WRITING } from '../situations.ts'
import { BODY_MISTAKES, bodyContent, ENCODING } from './event-bodies.ts'
import { BAD_EVENT, CORRECTED_EVENT, INVALID_TIME, REFUSED } from './example-events.ts'

/** `/dead-letters`. The examples of `POST /events`, which run first, leave three dead letters. */

const id = {
  name: 'id',
  in: 'path',
  required: true,
  schema: { type: 'integer', minimum: 1 },
  description: 'Id of the dead letter.',
}

const kept = (letter_id: number) => ({
  id: letter_id,
  received_at: '2026-11-21T12:00:00.000000Z',
  source: 'key/1',
  ...INVALID_TIME,
  is_cut: false,
  events_omitted: 0,
})
const gone = refusal('not_found', 'There is no such dead letter, or it was replayed, deleted or evicted.')

const LIMIT_RULE = `must be a whole number from 1 to ${LETTERS_LISTED_MAX}`

export const listDeadLetters: Operation = {
  id: 'listDeadLetters',
  tag: 'dead letters',
  summary: 'List rejected events, newest first',
  parameters: queryOf(LETTERS_SCHEMA),
  replies: {
    200: { description: 'A page of dead letters.', content: { 'application/json': ref('DeadLetters') } },
  },
  examples: {
    newest: {
      summary: 'The newest with an invalid time',
      path: '/dead-letters?reason=occurred_at&limit=1',
      ...jsonReply({ data: [kept(3)], next_cursor: '3' }),
    },
    next_page: {
      summary: 'The next page',
      path: '/dead-letters?reason=occurred_at&limit=10&cursor=3',
      ...jsonReply({ data: [kept(1)], next_cursor: null }),
    },
    limit_of_none: {
      summary: 'A limit out of range',
      path: '/dead-letters?limit=0',
      ...refusal('invalid_parameter', `limit ${LIMIT_RULE}`, {
        errors: [{ path: 'limit', message: LIMIT_RULE }],
      }),
    },
  },
}

export const getDeadLetter: Operation = {
  id: 'getDeadLetter',
  tag: 'dead letters',
  summary: 'Read a rejected event, as it was sent',
  parameters: [id],
  replies: {
    200: { description: 'The dead letter.', content: { 'application/json': ref('DeadLetter') } },
  },
  examples: {
    letter: {
      summary: 'An event with an invalid time',
      path: '/dead-letters/1',
      ...jsonReply({ ...kept(1), event: BAD_EVENT }),
    },
    no_letter: { summary: 'No such dead letter', path: '/dead-letters/999999', ...gone },
  },
}

const mistakes = Object.fromEntries(
  Object.entries(BODY_MISTAKES).map(([name, example]) => [
    name,
    { ...example, path: '/dead-letters/3/replay' },
  ]),
)

export const replayDeadLetter: Operation = {
  id: 'replayDeadLetter',
  tag: 'dead letters',
  summary: 'Replay a rejected event',
  description:
    'Sends the event again as it was, or the corrected event in the body. The dead letter is deleted when the event is stored, exactly once.',
  parameters: [id, ENCODING],
  body: { required: false, content: bodyContent(ref('Event')) },
  replies: {
    200: { description: 'The event is stored.', content: { 'application/json': ref('IngestReply') } },
  },
  problems: [
    'nested_too_deep',
    'body_too_large',
    'too_many_events',
    'validation_timeout',
    'disk_full',
    ...WHEN_WRITING,
  ],
  examples: {
    corrected: {
      summary: 'A corrected event',
      path: '/dead-letters/1/replay',
      body: jsonBody(CORRECTED_EVENT),
      ...jsonReply({ received: 1, accepted: 1, duplicates: 0, rejected: 0, errors: [] }),
    },
    ...mistakes,
    replay_of_none: { summary: 'No such dead letter', path: '/dead-letters/999999/replay', ...gone },
    still_invalid: {
      summary: 'Unchanged, so still invalid',
      path: '/dead-letters/3/replay',
      ...REFUSED,
    },
  },
}

export const deleteDeadLetter: Operation = {
  id: 'deleteDeadLetter',
  tag: 'dead letters',
  summary: 'Delete a rejected event',
  parameters: [id],
  replies: { 204: { description: 'The dead letter is deleted.' } },
  problems: WHEN_WRITING,
  examples: {
    thrown_away: { summary: 'Deleted', path: '/dead-letters/2', status: 204 },
    thrown_away_before: { summary: 'No such dead letter', path: '/dead-letters/2', ...gone },
  },
}
