import type { FieldError } from '../problem/problem.ts'

/** A rejected event that is kept, so that nothing that was sent is gone: it can be looked at, corrected and sent again. */
export interface Letter {
  /** The field that was wrong; empty where it is no single one. */
  path: string
  /** Never repeats the value. */
  message: string
  /** Lower case; null where the event had no readable one. */
  event_id: string | null
  /** The event as JSON text; where it was no JSON, or is cut, the text of it as a JSON string. */
  body: string
  /** The event was longer than {@link LETTER_BYTES_MAX}, and only its beginning is kept. */
  is_cut: boolean
}

/** The longest valid event has half of this. */
export const LETTER_BYTES_MAX = 64 * 1024

/**
 * @param value the event as it was read; a string where it could not be read at all
 */
export function writeLetter(value: unknown, event_id: string | null, { path, message }: FieldError): Letter {
  const body = writeBody(value)
  if (body === null) return { path, message, event_id, body: '""', is_cut: true }
  const is_cut = Buffer.byteLength(body) > LETTER_BYTES_MAX
  return { path, message, event_id, body: is_cut ? JSON.stringify(cut(body)) : body, is_cut }
}

/** JSON text; null for what is nested so deep that it can be read and not written. */
function writeBody(value: unknown): string | null {
  try {
    // MessagePack has whole numbers that JSON has not; their digits are kept as text.
    return (
      JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part)) ?? 'null'
    )
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** The beginning of a text, short enough also after it was escaped as a JSON string. */
function cut(text: string): string {
  let kept = Buffer.from(text)
    .subarray(0, LETTER_BYTES_MAX / 2)
    .toString()
  while (Buffer.byteLength(JSON.stringify(kept)) > LETTER_BYTES_MAX)
    kept = kept.slice(0, Math.floor(kept.length / 2))
  return kept
}
