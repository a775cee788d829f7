import { firstOf, isObject, isoOf, otherFields, propertiesOf, textOf, unpacked } from './vendor.ts'
import type { Vendor } from './vendor.ts'

/** Mixpanel: lines of the raw event export, and events as its SDKs send them. */

const MAPPED: ReadonlySet<string> = new Set(['event', 'properties'])
const MAPPED_PROPERTIES: ReadonlySet<string> = new Set(['time', 'distinct_id', '$insert_id'])
/** Browsers send seconds with a fraction, servers milliseconds, an export has seconds. As seconds this is the year 5138. */
const SECONDS_MAX = 1e11

export const MIXPANEL: Vendor = {
  family: 'mixpanel',
  map(row) {
    const properties = unpacked(row['properties'])
    const own = isObject(properties) ? properties : {}
    // A later export may name the user by an id that was merged since; the event keeps its id.
    const sent_by = textOf(firstOf(own['$distinct_id_before_identity'], own['distinct_id']))
    return {
      id: textOf(own['$insert_id']),
      scope: [textOf(row['event']) ?? '', sent_by ?? ''],
      occurred_at: isoOf(own['time'], Number(textOf(own['time'])) < SECONDS_MAX ? 'epoch_s' : 'epoch_ms'),
      user_id: firstOf(own['distinct_id'], own['$user_id'], own['$device_id']),
      event_type: row['event'],
      properties: propertiesOf(properties, MAPPED_PROPERTIES),
      context: otherFields(row, MAPPED),
    }
  },
}
