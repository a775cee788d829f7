import { CONTENT_TYPES } from '../../../query/format.ts'
import type { Definition, QuestionExample } from '../../../questions/definition.ts'
import { describe } from '../../../questions/parameters.ts'
import { QUESTIONS } from '../../../questions/table.ts'
import { statsRoute } from '../../routes.ts'
import { jsonReply, refusal, textReply } from '../operation.ts'
import type { Example, Operation } from '../operation.ts'
import { parametersOf } from '../parameters.ts'
import { ref } from '../schemas.ts'
import { WHEN_ASKING } from '../situations.ts'
import { read } from './example-events.ts'

/** `/stats/*`, from the table of questions, and `/tiers`. */

/** How many events the examples of `POST /events` leave in the store. */
const EVENTS_READ = 11

export const QUESTION_OPERATIONS: Readonly<Record<string, Operation>> = Object.fromEntries(
  QUESTIONS.map((definition) => [`GET ${statsRoute(definition.name)}`, operationOf(definition)]),
)

function operationOf(definition: Definition): Operation {
  const { name, title, text, schema, examples } = definition
  return {
    id: `get${schema.name}`,
    tag: 'questions',
    summary: title,
    description: text,
    parameters: parametersOf(definition),
    replies: {
      200: {
        description:
          'The answer over both tiers. It includes every event acknowledged before the query started.',
        content: {
          'application/json': ref(schema.name),
          [CONTENT_TYPES.csv]: {
            type: 'string',
            description: 'The entries of `data`, after a header row. Null is an empty cell.',
          },
        },
      },
    },
    problems: WHEN_ASKING,
    examples: Object.fromEntries(
      Object.entries(examples).map(([key, example]) => [key, exampleOf(name, example)]),
    ),
  }
}

function exampleOf(name: string, { summary, query, reply }: QuestionExample): Example {
  const asked = { summary, path: `${statsRoute(name)}?${query}` }
  if ('csv' in reply) return { ...asked, ...textReply(CONTENT_TYPES.csv, reply.csv) }
  if ('answer' in reply) return { ...asked, ...jsonReply({ ...reply.answer, meta: read(EVENTS_READ) }) }
  return { ...asked, ...refusal('invalid_parameter', describe(reply.errors), { errors: reply.errors }) }
}

export const getTiers: Operation = {
  id: 'getTiers',
  tag: 'service',
  summary: 'Contents of the hot and cold tiers',
  replies: {
    200: {
      description: 'Number of events, files and bytes, by tier and day.',
      content: { 'application/json': ref('Tiers') },
    },
  },
  problems: WHEN_ASKING,
  examples: {
    tiers: {
      summary: 'All events are hot',
      ...jsonReply({ hot: { events: 11, days: 2 }, cold: { events: 0, files: 0, bytes: 0, days: [] } }),
    },
  },
}
