import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib'
import { encode } from '@msgpack/msgpack'
import fc from 'fast-check'
import type { Arbitrary } from 'fast-check'
import { toCsv } from '../../support/sample.ts'
import type { SampleEvent } from '../../support/sample.ts'

/** Requests to store events: valid ones in all formats and encodings, and what becomes of them when bytes change. */

export interface FuzzRequest {
  type: string
  coding: string
  strict: boolean
  events: Record<string, unknown>[]
  /** All events are valid, and nothing was done to the body. */
  sound: boolean
  body: Buffer
}

const FORMATS: Record<string, (events: Record<string, unknown>[]) => Uint8Array> = {
  'application/json': (events) => Buffer.from(JSON.stringify(events)),
  'application/x-ndjson': (events) => Buffer.from(events.map((e) => JSON.stringify(e)).join('\n')),
  'text/csv': (events) => Buffer.from(toCsv(events.map(asText))),
  'application/msgpack': (events) => encode(events),
}

/** A cell can hold nothing but text, whatever an event has in its place. */
function asText(event: Record<string, unknown>): SampleEvent {
  const { properties, ...fields } = event
  const texts = Object.entries(fields).map(([key, value]) => [key, cellOf(value)])
  return {
    ...(Object.fromEntries(texts) as SampleEvent),
    properties: properties as object as SampleEvent['properties'],
  }
}

const CODINGS: Record<string, (bytes: Uint8Array) => Uint8Array> = {
  identity: (bytes) => bytes,
  gzip: (bytes) => gzipSync(bytes, { level: 1 }),
  deflate: (bytes) => deflateSync(bytes, { level: 1 }),
  br: (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
}

/** A change of the bytes at a place, which is a share of their length. */
interface Mutation {
  kind: 'flip' | 'set' | 'cut' | 'remove' | 'insert' | 'repeat'
  place: number
  bytes: Uint8Array
}

function mutate(bytes: Buffer, { kind, place, bytes: other }: Mutation): Buffer {
  const at = Math.floor(place * bytes.length)
  const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)]
  switch (kind) {
    case 'flip':
    case 'set': {
      const copy = Buffer.from(bytes)
      for (const [i, byte] of other.entries()) {
        if (at + i < copy.length) copy[at + i] = kind === 'set' ? byte : copy[at + i]! ^ (1 << (byte % 8))
      }
      return copy
    }
    case 'cut':
      return head
    case 'remove':
      return Buffer.concat([head, tail.subarray(other.length)])
    case 'insert':
      return Buffer.concat([head, other, tail])
    case 'repeat':
      return Buffer.concat([bytes, tail])
  }
}

/** An object with a member called toString has no text of its own. */
function cellOf(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

const text = fc.string({ minLength: 1, maxLength: 20 })
const name = text.filter((each) => each.trim() !== '' && !['NULL', 'null', '\\N'].includes(each))
const soundEvent: Arbitrary<Record<string, unknown>> = fc.record({
  event_id: fc.uuid(),
  occurred_at: fc
    .date({ min: new Date('1970-01-01'), max: new Date('2025-12-31'), noInvalidDate: true })
    .map((date) => date.toISOString()),
  user_id: fc.oneof(name, fc.integer()),
  event_type: name,
  properties: fc.dictionary(text, fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null)), {
    maxKeys: 4,
  }),
})

const FIELDS = [
  'event_id',
  'occurred_at',
  'user_id',
  'event_type',
  'properties',
  'other',
  '__proto__',
] as const
/** Any code point but half a pair. What fast-check has for it lists them all first, which takes seconds. */
const SURROGATES = 0x800
const character = fc
  .nat({ max: 0x10ffff - SURROGATES })
  .map((n) => String.fromCodePoint(n < 0xd800 ? n : n + SURROGATES))
const wildEvent = fc
  .tuple(soundEvent, fc.constantFrom(...FIELDS), fc.jsonValue({ maxDepth: 4, stringUnit: character }))
  .map(([event, field, value]) => ({ ...event, [field]: value }))

const mutation: Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('flip', 'set', 'cut', 'remove', 'insert', 'repeat'),
  place: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
})

/** Two of five are as they should be, so that much is stored between what is refused. */
const KINDS = ['sound', 'sound', 'wild', 'damaged', 'misnamed'] as const

export const fuzzRequest: Arbitrary<FuzzRequest> = fc
  .record({
    kind: fc.constantFrom(...KINDS),
    type: fc.constantFrom(...Object.keys(FORMATS)),
    said: fc.constantFrom(...Object.keys(FORMATS), 'text/plain', ''),
    coding: fc.constantFrom(...Object.keys(CODINGS)),
    strict: fc.boolean(),
    events: fc.array(soundEvent, { maxLength: 4 }),
    wild: fc.array(wildEvent, { minLength: 1, maxLength: 2 }),
    plain: fc.array(mutation, { minLength: 1, maxLength: 2 }),
    coded: fc.array(mutation, { maxLength: 1 }),
  })
  .map(({ kind, type, said, coding, strict, events, wild, plain, coded }) => {
    const written = Buffer.from(FORMATS[type]!(kind === 'wild' ? [...events, ...wild] : events))
    const damaged = kind === 'damaged'
    const packed = CODINGS[coding]!(damaged ? plain.reduce(mutate, written) : written)
    const body = damaged ? coded.reduce(mutate, Buffer.from(packed)) : Buffer.from(packed)
    const sound = kind === 'sound'
    return { type: kind === 'misnamed' ? said : type, coding, strict, events, sound, body }
  })
