import type { Config } from '../../config.ts'
import { BODY_DEPTH_MAX } from '../../ingest/formats/nesting.ts'
import type { ProblemCode } from '../../problem/problem.ts'

/** Problems that no single request brings about: when they come, and what their detail says then. */

export interface Situation {
  /** In a sentence, for people. */
  when: string
  detail: string
}

export function situationsOf(limits: Config) {
  return {
    bad_request: {
      when: 'The request line, a header or the framing of the body is broken.',
      detail: 'The request line, a header or the framing of the body is wrong.',
    },
    unauthorized: {
      when: 'The request carries no key or token, or one that is unknown, revoked or expired.',
      detail: 'Send a key or a token as Authorization: Bearer, or a key as X-Api-Key.',
    },
    forbidden: {
      when: 'The key or token has another scope than the operation asks for.',
      detail: 'This needs the scope admin.',
    },
    request_timeout: {
      when: 'The request came too slowly, in its head or in its body.',
      detail: 'Send the whole request faster, or in smaller parts.',
    },
    idempotency_key_in_use: {
      when: 'Another request with the same Idempotency-Key has not been answered yet.',
      detail: 'Send the request again later.',
    },
    nested_too_deep: {
      when: 'The body as a whole is nested so deep that reading it could exhaust the service.',
      detail: `It is nested deeper than ${BODY_DEPTH_MAX} levels.`,
    },
    body_too_large: {
      when: 'The body is larger than the limit, as it is sent or once it is decompressed.',
      detail: `A body may have at most ${limits.BODY_BYTES_MAX} bytes. Send smaller batches.`,
    },
    too_many_events: {
      when: 'The batch has more events than the limit.',
      detail: `A request may have at most ${limits.EVENTS_PER_REQUEST_MAX} events. Send smaller batches.`,
    },
    url_too_long: {
      when: 'Path and query are longer than the limit.',
      detail: `An address may have at most ${limits.URL_BYTES_MAX} bytes.`,
    },
    rate_limited: {
      when: 'The caller sent more requests, events or logins than the limit.',
      detail: 'More requests than the limit. Send again later.',
    },
    headers_too_large: {
      when: 'Request line and headers together are larger than the limit.',
      detail: 'Send a shorter address and fewer or shorter headers.',
    },
    internal: {
      when: 'The service has a bug; its log has the reason under the request id.',
      detail: 'Report it with the request id 3f0c5f0e-8f6f-4d55-9c53-0f2f0f8d8f5b.',
    },
    cold_file_damaged: {
      when: 'A file of closed days that the question needs is missing or changed.',
      detail: 'Cold file day=2025-08-01/1-1.parquet of 2025-08-01 is missing. Restore it from a backup.',
    },
    query_failed: { when: 'The query engine failed.', detail: 'The question failed.' },
    queue_full: {
      when: 'Too many events or bytes of other requests are waiting.',
      detail: 'Too many bytes of other requests are in flight. Send again later.',
    },
    store_unavailable: {
      when: 'The write could not be committed. Send it again; each event counts once.',
      detail: 'The events could not be committed. Send them again; each is counted once.',
    },
    disk_full: {
      when: 'The disk has too little free space for events. Questions are still answered.',
      detail: 'Nothing was stored. Send the events again later.',
    },
    logins_busy: {
      when: 'Too many logins are being checked.',
      detail: 'Too many logins are being checked. Try again later.',
    },
    query_line_full: {
      when: 'Too many questions are waiting.',
      detail: `${limits.QUERIES_WAITING_MAX} questions are waiting. Ask again later.`,
    },
    query_timeout: {
      when: 'The question waited and ran longer than the limit.',
      detail: `The question took more than ${limits.QUERY_TIMEOUT_MS} ms.`,
    },
    not_ready: {
      when: 'The service is starting or stopping.',
      detail: 'the mirror of the hot rows is not built',
    },
  } satisfies Partial<Record<ProblemCode, Situation>>
}

export type SituationCode = keyof ReturnType<typeof situationsOf>

/** What any request may meet. */
export const EVERYWHERE: readonly SituationCode[] = [
  'bad_request',
  'request_timeout',
  'url_too_long',
  'headers_too_large',
  'internal',
]
/** Where a scope is needed, and requests are counted. */
export const AT_THE_GATE: readonly SituationCode[] = ['unauthorized', 'forbidden', 'rate_limited']
/** Whatever is asked of the query engine. */
export const WHEN_ASKING: readonly SituationCode[] = [
  'cold_file_damaged',
  'query_failed',
  'query_line_full',
  'query_timeout',
  'not_ready',
]
/** Whatever is given to the writer. */
export const WHEN_WRITING: readonly SituationCode[] = ['queue_full', 'store_unavailable']
