import { Problem } from '../../problem/problem.ts'
import type { FieldError } from '../../problem/problem.ts'

/**
 * The parsed events of a body, not validated yet. An event that could not be parsed is {@link Unreadable}.
 */
export type Batch = readonly unknown[]

/**
 * An event that could not be parsed, such as a line that is not JSON.
 * The rest of the batch is not affected.
 */
export class Unreadable {
  readonly error: FieldError
  /** The event as it was sent; base64 for MessagePack. */
  readonly text: string

  constructor(text: string, message: string, path = '') {
    this.text = text
    this.error = { path, message }
  }
}

export function tooManyEvents(events_max: number): Problem {
  return new Problem(
    'too_many_events',
    `A request may have at most ${events_max} events. Send smaller batches.`,
  )
}
