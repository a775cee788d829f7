import { Problem } from '../../problem/problem.ts'
import type { FieldError } from '../../problem/problem.ts'

/** What a body holds, whatever its format: values that have yet to be judged, and {@link Unreadable} where there is no value to judge. */
export type Batch = readonly unknown[]

/** One event that its format could not read: a line that is no JSON, a row with too few fields. Its neighbours are not concerned. */
export class Unreadable {
  readonly error: FieldError
  /** What was sent in its place, as text. */
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
