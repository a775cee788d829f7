import type { Asked } from '../../../src/questions/parts/asked.ts'
import { activeUsers, lifecycle, sessions, stickiness } from './activity.ts'
import { dau, topEvents } from './basic.ts'
import type { PlainEvent } from './events.ts'
import { funnel } from './funnel.ts'
import { eventTypes, paths, properties, propertyValues } from './names.ts'
import { retention } from './retention.ts'
import { trend } from './trend.ts'

/** The reference of every question, by its name. */
export const REFERENCE: Readonly<Record<string, (events: readonly PlainEvent[], asked: Asked) => object>> = {
  dau,
  'top-events': topEvents,
  retention,
  trend,
  funnel,
  paths,
  'event-types': eventTypes,
  properties,
  'property-values': propertyValues,
  'active-users': activeUsers,
  stickiness,
  lifecycle,
  sessions,
}
