import { firstOf, isObject, isoOf, otherFields, propertiesOf, textOf, unpacked } from './vendor.ts'
import type { Vendor } from './vendor.ts'

/** Amplitude: lines of the export, and events as its SDKs send them. */

const MAPPED: ReadonlySet<string> = new Set([
  '$insert_id',
  'insert_id',
  'uuid',
  'event_time',
  'time',
  'user_id',
  'device_id',
  'event_type',
  'event_properties',
])
const NOTHING: ReadonlySet<string> = new Set()

export const AMPLITUDE: Vendor = {
  family: 'amplitude',
  map(row) {
    const device = textOf(row['device_id'])
    const user = textOf(row['user_id'])
    const properties = propertiesOf(unpacked(row['event_properties']), NOTHING)
    return {
      // Its server gives each event a uuid. SDKs do not know it, so the id that they sent is better.
      id: textOf(firstOf(row['$insert_id'], row['insert_id'], row['uuid'])),
      scope: [device ?? user ?? ''],
      occurred_at: firstOf(row['event_time'], isoOf(row['time'], 'epoch_ms')),
      user_id: firstOf(row['user_id'], row['device_id']),
      event_type: row['event_type'],
      properties:
        isObject(properties) && device !== undefined ? { $device_id: device, ...properties } : properties,
      context: otherFields(row, MAPPED),
    }
  },
}
