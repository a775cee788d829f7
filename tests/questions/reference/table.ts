import type { Asked } from '../../../src/questions/asked.ts'
import { activeUsers, lifecycle, sessions, stickiness } from './activity.ts'
import { dau, topEvents } from './basic.ts'
import type { PlainEvent } from './events.ts'
import { funnel } from './funnel.ts'
import { retention } from './retention.ts'
import { trend } from './trend.ts'

/** The reference of every question, by its name. */
export const REFERENCE: Readonly<Record<string, (events: readonly PlainEvent[], asked: Asked) => object>> = {
  dau,
  'top-events': topEvents,
  retention,
  trend,
  funnel,
  'active-users': activeUsers,
  stickiness,
  lifecycle,
  sessions,
}
