import { writeCsvRow } from '../../../event/csv-row.ts'
import { CONTENT_TYPES } from '../../../query/format.ts'
import { isCountable } from '../../../query/plan.ts'
import type { Asked } from '../../../questions/parts/asked.ts'
import type { Definition, QuestionExample } from '../../../questions/parts/definition.ts'
import { QUESTION_BYTES_MAX } from '../../../questions/parts/body.ts'
import { COMMON, describe, parseQuestion } from '../../../questions/parts/parameters.ts'
import { QUESTIONS } from '../../../questions/table.ts'
import { statsRoute } from '../../routes.ts'
import { jsonBody, jsonReply, refusal, textReply } from '../operation.ts'
import type { Example, Operation } from '../operation.ts'
import { parametersOf } from '../parameters.ts'
import { ref } from '../schemas.ts'
import { WHEN_ASKING } from '../situations.ts'
import { read } from './example-events.ts'

/** `/stats/*`, from the table of questions, and `/tiers`. */

/** How many events the examples of `POST /events` leave in the store. */
const EVENTS_READ = 11

const BODY_FAULTS: Operation['examples'] = {
  not_json: {
    summary: 'Broken JSON',
    body: { type: 'application/json', text: '{"from":' },
    ...refusal('not_json', 'The body could not be read as JSON.'),
  },
  csv: {
    summary: 'Another format',
    body: { type: 'text/csv', text: 'from\n2025-08-01\n' },
    ...refusal('unsupported_media_type', 'Content-Type must be application/json.'),
  },
}

export const QUESTION_OPERATIONS: Readonly<Record<string, Operation>> = Object.fromEntries(
  QUESTIONS.flatMap((definition) => [
    [`GET ${statsRoute(definition.name)}`, byUrl(definition)],
    [`POST ${statsRoute(definition.name)}`, byBody(definition)],
  ]),
)

function replies({ schema }: Definition): Operation['replies'] {
  return {
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
  }
}

function byUrl(definition: Definition): Operation {
  const { title, text, schema } = definition
  return {
    id: `get${schema.name}`,
    tag: 'questions',
    summary: title,
    description: text,
    parameters: parametersOf(definition),
    replies: replies(definition),
    problems: WHEN_ASKING,
    examples: Object.fromEntries(
      examplesOf(definition).map(([key, example]) => [key, exampleOf(definition, example)]),
    ),
  }
}

/** The same with the parameters as JSON, where filters may be trees. */
function byBody(definition: Definition): Operation {
  const { name, title, schema } = definition
  const names = Object.keys({ ...definition.parameters.entries, ...COMMON.entries })
  return {
    id: `ask${schema.name}`,
    tag: 'questions',
    summary: `${title}, asked by a body`,
    description: `The parameters of \`GET ${statsRoute(name)}\` as one JSON object; a filter may also be a tree.`,
    body: {
      required: true,
      content: {
        'application/json': {
          type: 'object',
          properties: Object.fromEntries(names.map((each) => [each, {}])),
          description: `At most ${QUESTION_BYTES_MAX} bytes.`,
        },
      },
    },
    replies: replies(definition),
    problems: [...WHEN_ASKING, 'body_too_large'],
    examples: {
      ...Object.fromEntries(
        examplesOf(definition).map(([key, example]) => [
          `${key}_by_body`,
          bodyOf(exampleOf(definition, example)),
        ]),
      ),
      ...BODY_FAULTS,
    },
  }
}

/** The query of an example as a body. */
function bodyOf({ path, ...example }: Example): Example {
  const query = new URLSearchParams(path!.split('?')[1])
  const value = Object.fromEntries([...new Set(query.keys())].map((name) => [name, query.getAll(name)]))
  return { ...example, path: path!.split('?')[0]!, body: jsonBody(value) }
}

/** The examples of a question; the first answer also as CSV, unless there is such an example. */
function examplesOf({ examples, csv }: Definition): [string, QuestionExample][] {
  const listed = Object.entries(examples)
  const answered = listed.find(([, { reply }]) => 'answer' in reply)
  if (answered === undefined || listed.some(([, { reply }]) => 'csv' in reply)) return listed
  const [key, { query, reply }] = answered
  const text = csv('answer' in reply ? reply.answer : {})
    .map((cells) => writeCsvRow(cells))
    .join('')
  const as_csv = { summary: 'As CSV', query: `${query}&format=csv`, reply: { csv: text } }
  return [...listed, [`${key}_csv`, as_csv]]
}

function exampleOf(definition: Definition, { summary, query, reply }: QuestionExample): Example {
  const asked = { summary, path: `${statsRoute(definition.name)}?${query}` }
  if ('csv' in reply) return { ...asked, ...textReply(CONTENT_TYPES.csv, reply.csv) }
  if ('answer' in reply) {
    const { took_ms, ...about } = read(EVENTS_READ)
    const answered_from = isCountable(questionOf(definition, query)) ? 'sets' : 'events'
    return { ...asked, ...jsonReply({ ...reply.answer, meta: { ...about, answered_from, took_ms } }) }
  }
  return { ...asked, ...refusal('invalid_parameter', describe(reply.errors), { errors: reply.errors }) }
}

function questionOf(definition: Definition, query: string): Asked {
  const given = new URLSearchParams(query)
  const names = [...new Set(given.keys())]
  return parseQuestion(definition, Object.fromEntries(names.map((name) => [name, given.getAll(name)])), 0)
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
