import { createEventSchema, judgeEvent } from './event.ts'
import type { Verdict } from './event.ts'
import { plainEvent } from './plain.ts'
import type { Micros } from './time.ts'

/** Validates one value. @returns the event in its stored form, or the first error */
export type Judge = (value: unknown) => Verdict

/**
 * Creates the judge of events. It accepts most events without the schema, which takes three times as long,
 * and leaves all others to it.
 * @param now_us as for {@link createEventSchema}
 */
export function createJudge(now_us: () => Micros): Judge {
  const schema = createEventSchema(now_us)
  return (value) => {
    const event = plainEvent(value, now_us())
    return event === null ? judgeEvent(schema, value) : { event }
  }
}
