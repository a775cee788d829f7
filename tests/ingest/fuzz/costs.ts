import { encode } from '@msgpack/msgpack'
import fc from 'fast-check'
import type { Arbitrary } from 'fast-check'

/** Bodies that repeat a few tokens, which is how a body is made that takes long for its size. */

export interface CostlyBody {
  media_type: string
  /** Before what is repeated, and behind it. */
  head: Buffer
  unit: Buffer
  tail: Buffer
}

const ROW = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa,2025-08-01,u,t,'
const HEADER = 'event_id,occurred_at,user_id,event_type,properties_json\n'
const EVENT =
  '{"event_id":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa","occurred_at":"2025-08-01","user_id":"u","event_type":"t","properties":{'
const JSON_TOKENS = [
  ...'[]{},:"\\ -+.0123eE\n\r\tx',
  '1e3',
  '0.0',
  '00000000',
  '1111111111111111',
  'true',
  'nul',
  '\\u0000',
  '\\ud800',
  'é',
  '":',
  '""',
  '"a":',
  '[[[[',
  ']]]]',
  '    ',
  '[1e3]',
  '{"a":',
  EVENT,
  '}}',
  '"user_id":',
  '"occurred_at":"',
]

const TOKENS: Readonly<Record<string, readonly (string | Uint8Array)[]>> = {
  'application/json': JSON_TOKENS,
  'application/x-ndjson': [...JSON_TOKENS, '\n', '\n', Uint8Array.of(0xff)],
  'text/csv': [
    ...',;"\n\r x',
    '""',
    '"\n',
    ',"',
    '",',
    'é',
    ',,,,',
    HEADER,
    ROW,
    '"{""a"":1e3}"',
    '{',
    Uint8Array.of(0xff),
  ],
  'application/msgpack': [
    ...[
      0x00, 0x80, 0x81, 0x90, 0x91, 0x9f, 0xa0, 0xa1, 0xc0, 0xc1, 0xc3, 0xc4, 0xcf, 0xd9, 0xdc, 0xdd, 0xde,
      0xff,
    ].map((byte) => Uint8Array.of(byte)),
    encode({ event_id: 'x' }),
    encode([1.5, 'é', -1]),
    Uint8Array.of(0xdd, 0, 1, 0, 0),
  ],
}

const join = (tokens: readonly (string | Uint8Array)[]) =>
  Buffer.concat(tokens.map((token) => (typeof token === 'string' ? Buffer.from(token) : token)))

export const costlyBody: Arbitrary<CostlyBody> = fc
  .constantFrom(...Object.keys(TOKENS))
  .chain((media_type) => {
    const tokens = (limits: object) => fc.array(fc.constantFrom(...TOKENS[media_type]!), limits).map(join)
    return fc.record({
      media_type: fc.constant(media_type),
      head: tokens({ maxLength: 4 }).map((head) => (media_type === 'text/csv' ? join([HEADER, head]) : head)),
      unit: tokens({ minLength: 1, maxLength: 4 }),
      tail: tokens({ maxLength: 3 }),
    })
  })

/** About so many bytes of it. */
export function bytesOf({ head, unit, tail }: CostlyBody, bytes: number): Uint8Array<ArrayBuffer> {
  const middle = Array.from({ length: Math.ceil(bytes / unit.length) }, () => unit)
  return new Uint8Array(Buffer.concat([head, ...middle, tail]))
}
