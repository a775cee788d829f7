import { Problem } from '../../problem/problem.ts'
import type { Batch } from './batch.ts'
import { NestedTooDeep, parseJson } from '../../event/nesting.ts'

/** Parses `application/json`: an array of events, or one event. */
export function readJson(bytes: ArrayBuffer | Uint8Array): Batch {
  return batchOf(parse(bytes))
}

/** Returns an array as a batch, and an object as a batch of one. */
export function batchOf(value: unknown): Batch {
  if (Array.isArray(value)) return value
  if (typeof value === 'object' && value !== null) return [value]
  throw new Problem('not_an_array', 'Send an array of events, or one event.')
}

function parse(bytes: ArrayBuffer | Uint8Array): unknown {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new Problem('not_json', 'The body is not valid UTF-8.')
  }
  try {
    return parseJson(text)
  } catch (error) {
    if (error instanceof NestedTooDeep) throw new Problem('nested_too_deep', error.message)
    // The parser's message is not used, because it quotes the input.
    throw new Problem('not_json', 'The body could not be read as JSON.')
  }
}
