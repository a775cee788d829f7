import { writeExactJson } from '../event/json.ts'
import type { FieldError } from '../problem/problem.ts'

/** A rejected event. It is kept so that it can be inspected, corrected and replayed. */
export interface Letter {
  /** The invalid field; empty if no single field is. */
  path: string
  /** Never contains the value. */
  message: string
  /** Lower case; null if the event has no valid one. */
  event_id: string | null
  /** The event as JSON text. If it was not valid JSON or is truncated, a JSON string with its text. */
  body: string
  /** The event was longer than {@link LETTER_BYTES_MAX}, and only its beginning is kept. */
  is_cut: boolean
  /** Rejected events that the letter counts; 0 if it holds an event. See {@link countRest}. */
  events_omitted: number
}

/** About twice the size of the longest valid event. */
export const LETTER_BYTES_MAX = 64 * 1024

/**
 * Makes a letter of a rejected event.
 * @param value the parsed event; its text if it could not be parsed
 */
export function writeLetter(value: unknown, event_id: string | null, { path, message }: FieldError): Letter {
  const body = writeBody(value)
  const letter = { path, message, event_id, events_omitted: 0 }
  if (body === null) return { ...letter, body: '""', is_cut: true }
  const is_cut = Buffer.byteLength(body) > LETTER_BYTES_MAX
  return { ...letter, body: is_cut ? JSON.stringify(cut(body)) : body, is_cut }
}

/**
 * Rejected events of one request that become a letter each. Beyond it, one letter counts the rest:
 * 100,000 events in a few hundred bytes must not cost 100,000 inserts.
 */
export const LETTERS_PER_REQUEST_MAX = 1_000

/** Makes the letter that counts the rejected events beyond {@link LETTERS_PER_REQUEST_MAX}. */
export function countRest(events_omitted: number): Letter {
  const message = `${events_omitted} more rejected events of the same request are not kept`
  return { path: '', message, event_id: null, body: 'null', is_cut: false, events_omitted }
}

/** Null if the value is nested too deep for JSON.stringify, although it could be parsed. */
function writeBody(value: unknown): string | null {
  try {
    return writeExactJson(value)
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** Truncates a text so that it fits also after it is escaped as a JSON string. */
function cut(text: string): string {
  let kept = Buffer.from(text)
    .subarray(0, LETTER_BYTES_MAX / 2)
    .toString()
  while (Buffer.byteLength(JSON.stringify(kept)) > LETTER_BYTES_MAX)
    kept = kept.slice(0, Math.floor(kept.length / 2))
  return kept
}
