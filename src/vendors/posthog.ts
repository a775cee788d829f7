import { firstOf, isObject, otherFields, propertiesOf, textOf, unpacked } from './vendor.ts'
import type { Vendor } from './vendor.ts'

/** PostHog: rows of a batch export and of `/api/event`, and events as its SDKs send them. */

const MAPPED: ReadonlySet<string> = new Set([
  'uuid',
  'id',
  'event',
  'distinct_id',
  'timestamp',
  'properties',
  '$set',
  '$set_once',
])
const MAPPED_PROPERTIES: ReadonlySet<string> = new Set(['distinct_id'])
/** Objects that some exports write as JSON within a string. */
const PACKED = ['person_properties', 'set', 'set_once', 'person'] as const

export const POSTHOG: Vendor = {
  family: 'posthog',
  map(row) {
    const properties = unpacked(row['properties'])
    const own = isObject(properties) ? properties : {}
    const context: Record<string, unknown> = { ...otherFields(row, MAPPED) }
    for (const name of PACKED) if (name in context) context[name] = unpacked(context[name])
    const kept = propertiesOf(properties, MAPPED_PROPERTIES)
    // SDKs set properties of a person beside those of the event.
    const person = { ...setOf(row, '$set'), ...setOf(row, '$set_once') }
    return {
      id: textOf(firstOf(row['uuid'], row['id'])),
      scope: [],
      occurred_at: row['timestamp'],
      user_id: firstOf(row['distinct_id'], own['distinct_id']),
      event_type: row['event'],
      properties: isObject(kept) ? { ...person, ...kept } : kept,
      context,
    }
  },
}

function setOf(row: Readonly<Record<string, unknown>>, name: '$set' | '$set_once'): object {
  return isObject(row[name]) ? { [name]: row[name] } : {}
}
