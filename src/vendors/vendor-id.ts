import { createHash } from 'node:crypto'
import { formatEventId, ID_BYTES, isEventId } from '../event/id.ts'

/** Event ids of vendors' ids. */

/** The namespace of all ids made here. Never change it: the same event would be stored again under another id. */
const NAMESPACE = Buffer.from('6d0b4f2ec1d3475c9a51b0f7e3d2864a', 'hex')
/** A store is one project. */
const PROJECT = ''
/** ASCII's unit separator. */
const SEPARATOR = '\u001F'

/**
 * A vendor's id as an event id: itself if it is a UUID, which the schema lower-cases, else a UUIDv5.
 * @param scope what the vendor's id is unique in, such as the device
 */
export function vendorEventId(family: string, scope: readonly string[], id: string): string {
  return isEventId(id) ? id : nameId([PROJECT, family, ...scope, id])
}

/** The id of an event that brings none, made of its text: the same text is the same event. */
export function contentEventId(family: string, text: string): string {
  return nameId([PROJECT, family, 'content', text])
}

/** UUIDv5 of RFC 9562. */
function nameId(parts: readonly string[]): string {
  const bytes = createHash('sha1').update(NAMESPACE).update(parts.join(SEPARATOR)).digest()
  bytes[6] = (bytes[6]! & 0x0f) | 0x50
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return formatEventId(bytes.subarray(0, ID_BYTES))
}
