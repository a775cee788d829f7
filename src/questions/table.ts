import { activeUsers } from './active-users.ts'
import { dau } from './dau.ts'
import type { Definition } from './parts/definition.ts'
import { eventTypes } from './event-types.ts'
import { funnel } from './funnel.ts'
import { lifecycle } from './lifecycle.ts'
import { paths } from './paths.ts'
import { properties } from './properties.ts'
import { propertyValues } from './property-values.ts'
import { retention } from './retention.ts'
import { sessions } from './sessions.ts'
import { stickiness } from './stickiness.ts'
import { topEvents } from './top-events.ts'
import { trend } from './trend.ts'

/** All questions. */
export const QUESTIONS: readonly Definition[] = [
  dau,
  activeUsers,
  topEvents,
  trend,
  retention,
  stickiness,
  lifecycle,
  sessions,
  funnel,
  paths,
  eventTypes,
  properties,
  propertyValues,
]

/** @throws {Error} if there is none of this name */
export function questionNamed(name: string): Definition {
  const found = QUESTIONS.find((definition) => definition.name === name)
  if (found === undefined) throw new Error(`no question ${name}`)
  return found
}
