import * as v from 'valibot'
import { formatDay } from '../event/time.ts'
import { conditionOf } from '../sql/filter.ts'
import { define } from './parts/definition.ts'
import { EXAMPLE_RANGE } from './parts/examples.ts'
import { expression } from './parts/expression.ts'
import { COUNT, DAY, listOf, objectOf, TEXT } from './parts/json-schema.ts'
import { integer, RANGE } from './parts/parameters.ts'

export const PATHS_DEPTH_MAX = 10
export const PATHS_TOP_MAX = 20
const OTHER = 'other'

interface PathsNode {
  /** Steps from the anchor, which is 0. */
  step: number
  event_type: string
  /** The rest of the branches of their nodes; it has no branches of its own. */
  is_other: boolean
  users: number
}

export interface PathsAnswer {
  from: string
  to: string
  direction: 'after' | 'before'
  /** Users with an anchor. */
  users: number
  nodes: PathsNode[]
  links: { step: number; from: string; to: string; to_is_other: boolean; users: number }[]
}

export const paths = define({
  name: 'paths',
  kind: 'paths',
  title: 'Paths of users',
  text:
    'What users did after their first `start` event of the range, or before their last `end` event of it, step by step in the order of time (events of the same time in the order of their ids). ' +
    'Each user counts once. At each node the `top` most frequent next event types are kept; the rest is one node named `other`, where a path ends. Only events within the range are followed.',
  parameters: v.object({
    ...RANGE,
    start: v.optional(expression),
    end: v.optional(expression),
    depth: v.optional(integer(1, PATHS_DEPTH_MAX), '3'),
    top: v.optional(integer(1, PATHS_TOP_MAX), '5'),
  }),
  parameter_texts: {
    start: 'A filter: where paths begin. Either `start` or `end` is given.',
    end: 'A filter: where paths end.',
    depth: 'Steps after `start` or before `end`.',
    top: 'Branches kept at each node.',
  },
  days: ({ from, to }) => ({ from, to }),
  faults: ({ start, end }) =>
    (start === undefined) === (end === undefined)
      ? [{ path: 'start', message: 'or end is required, and not both' }]
      : [],
  sql({ parameters: p }, { select, bind }) {
    const anchor = conditionOf((p.start ?? p.end)!, bind)
    const order = p.start === undefined ? 'DESC' : 'ASC'
    const layers = Array.from({ length: p.depth }, (_, i) => layer(i + 1, p.top))
    const told = Array.from(
      { length: p.depth },
      (_, i) =>
        `SELECT ${i + 1}, previous, event_type, is_other, count(*)::INTEGER FROM layer${i + 1} GROUP BY ALL`,
    )
    return `
      WITH e AS (
        SELECT *, row_number() OVER (PARTITION BY user_id ORDER BY at_us ${order}, event_id ${order}) AS r
        FROM (${select(`user_id, at_us, event_id, event_type, ${anchor} AS is_anchor`)})),
      anchors AS (SELECT user_id, min(r) AS r FROM e WHERE is_anchor GROUP BY user_id),
      steps AS (SELECT e.user_id, e.r - anchors.r AS step, e.event_type FROM e JOIN anchors USING (user_id) WHERE e.r BETWEEN anchors.r AND anchors.r + ${p.depth}),
      layer0 AS (SELECT user_id, event_type, false AS is_other FROM steps WHERE step = 0),
      ${layers.join(',\n')}
      SELECT 0 AS step, NULL AS previous, event_type, is_other, count(*)::INTEGER AS users FROM layer0 GROUP BY ALL
      UNION ALL ${told.join(' UNION ALL ')}`
  },
  answer({ parameters: p, days }, rows): PathsAnswer {
    const nodes = new Map<string, PathsNode>()
    const links: PathsAnswer['links'] = []
    for (const [step, previous, event_type, is_other, users] of rows) {
      const node = { step: Number(step), event_type: String(event_type), is_other: is_other === true }
      const key = JSON.stringify(node)
      nodes.set(key, { ...node, users: (nodes.get(key)?.users ?? 0) + Number(users) })
      if (previous === null) continue
      links.push({
        step: node.step,
        from: String(previous),
        to: node.event_type,
        to_is_other: node.is_other,
        users: Number(users),
      })
    }
    const sorted = [...nodes.values()].toSorted(
      (a, b) =>
        a.step - b.step ||
        Number(a.is_other) - Number(b.is_other) ||
        b.users - a.users ||
        (a.event_type < b.event_type ? -1 : 1),
    )
    return {
      from: formatDay(days.from),
      to: formatDay(days.to),
      direction: p.start === undefined ? 'before' : 'after',
      users: sorted.reduce((sum, { step, users }) => (step === 0 ? sum + users : sum), 0),
      nodes: sorted,
      links: links.toSorted(
        (a, b) =>
          a.step - b.step ||
          (a.from < b.from ? -1 : a.from > b.from ? 1 : 0) ||
          Number(a.to_is_other) - Number(b.to_is_other) ||
          b.users - a.users ||
          (a.to < b.to ? -1 : 1),
      ),
    }
  },
  csv: ({ links }) => [['step', 'from', 'to', 'users'], ...links.map((d) => [d.step, d.from, d.to, d.users])],
  schema: {
    name: 'Paths',
    of: objectOf({
      from: DAY,
      to: DAY,
      direction: { enum: ['after', 'before'] },
      users: COUNT,
      nodes: listOf(objectOf({ step: COUNT, event_type: TEXT, is_other: { type: 'boolean' }, users: COUNT })),
      links: listOf(
        objectOf({ step: COUNT, from: TEXT, to: TEXT, to_is_other: { type: 'boolean' }, users: COUNT }),
      ),
    }),
  },
  examples: {
    paths: {
      summary: 'Before a purchase',
      query: `${EXAMPLE_RANGE}&end=event_type:purchase&depth=1`,
      reply: {
        answer: {
          from: '2025-08-01',
          to: '2025-08-03',
          direction: 'before',
          users: 1,
          nodes: [
            { step: 0, event_type: 'purchase', is_other: false, users: 1 },
            { step: 1, event_type: 'app_open', is_other: false, users: 1 },
          ],
          links: [{ step: 1, from: 'purchase', to: 'app_open', to_is_other: false, users: 1 }],
        },
      },
    },
    paths_from_nowhere: {
      summary: 'Neither start nor end',
      query: EXAMPLE_RANGE,
      reply: { errors: [{ path: 'start', message: 'or end is required, and not both' }] },
    },
  },
})

/** The users of one step, each with the node before and with the own event type if that is one of the most frequent there. */
function layer(i: number, top: number): string {
  return `
    next${i} AS (
      SELECT steps.user_id, before.event_type AS previous, steps.event_type FROM steps
      JOIN layer${i - 1} before USING (user_id) WHERE steps.step = ${i} AND NOT before.is_other),
    kept${i} AS (
      SELECT previous, event_type FROM next${i} GROUP BY previous, event_type
      QUALIFY row_number() OVER (PARTITION BY previous ORDER BY count(*) DESC, event_type) <= ${top}),
    layer${i} AS (
      SELECT next${i}.user_id, next${i}.previous, CASE WHEN kept${i}.previous IS NULL THEN '${OTHER}' ELSE next${i}.event_type END AS event_type, kept${i}.previous IS NULL AS is_other
      FROM next${i} LEFT JOIN kept${i} ON next${i}.previous = kept${i}.previous AND next${i}.event_type = kept${i}.event_type)`
}
