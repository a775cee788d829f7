import { sizeOf } from './body.ts'
import type { Body } from './body.ts'

/**
 * How long a body may take to judge, estimated before it is parsed. A client chooses how many values fit into
 * a byte, and each costs about a microsecond: 64 KiB are 400 events or 32,000 that are invalid.
 */

/** A value takes as long as this many bytes of text. */
const BYTES_PER_VALUE = 32
/** To tell why a line is no event takes as long as this many values. */
const VALUES_PER_LINE = 8

/** What begins a value or a line, and so bounds how many there are. It also counts in strings, where it is rare. */
const JSON_COSTS = { ',': 1, '[': 1, '{': 1 }
const LINE_COSTS = { ...JSON_COSTS, '\n': VALUES_PER_LINE }

const COSTS: ReadonlyMap<string, Uint8Array> = new Map([
  ['application/json', byCode(JSON_COSTS)],
  ['application/x-ndjson', byCode(LINE_COSTS)],
  ['text/csv', byCode(LINE_COSTS)],
])

function byCode(costs: Readonly<Record<string, number>>): Uint8Array {
  const table = new Uint8Array(256)
  for (const [char, cost] of Object.entries(costs)) table[char.charCodeAt(0)] = cost
  return table
}

/**
 * Returns the bytes of a body, or more if it has so many values that they take longer than its bytes.
 * @param enough where counting may stop; a body whose bytes alone weigh more is not read
 */
export function weightOf(body: Body, enough: number): number {
  const bytes = sizeOf(body)
  if (bytes > enough) return bytes
  const costs = COSTS.get(body.media_type)
  // In MessagePack any byte can be a value.
  if (costs === undefined) return bytes * BYTES_PER_VALUE
  let values = 0
  for (const part of body.parts) {
    for (let at = 0; at < part.length; at += 1) values += costs[part[at]!]!
  }
  return Math.max(bytes, values * BYTES_PER_VALUE)
}
