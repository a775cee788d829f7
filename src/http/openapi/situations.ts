import type { Config } from '../../config.ts'
import { BODY_DEPTH_MAX } from '../../event/nesting.ts'
import type { ProblemCode } from '../../problem/problem.ts'

/** Problems that no single request can cause: when they occur, and an example of their `detail`. */

export interface Situation {
  /** A sentence for people. */
  when: string
  detail: string
}

export function situationsOf(limits: Config) {
  return {
    bad_request: {
      when: 'The request line, a header or the framing of the body is invalid.',
      detail: 'The request line, a header or the framing of the body is invalid.',
    },
    unauthorized: {
      when: 'The request has no key or token, or one that is unknown, revoked or expired.',
      detail: 'Send a key or a token as Authorization: Bearer, or a key as X-Api-Key.',
    },
    forbidden: {
      when: 'The key or token lacks the scope of the operation.',
      detail: 'The scope admin is required.',
    },
    request_timeout: {
      when: 'The headers or the body arrived too slowly.',
      detail: 'Send the whole request faster, or in smaller parts.',
    },
    idempotency_key_in_use: {
      when: 'Another request with the same Idempotency-Key is still in progress.',
      detail: 'Send the request again later.',
    },
    nested_too_deep: {
      when: 'The body is nested so deeply that parsing it could exhaust the service.',
      detail: `It is nested deeper than ${BODY_DEPTH_MAX} levels.`,
    },
    body_too_large: {
      when: 'The body is larger than the limit, compressed or decompressed.',
      detail: `A body may have at most ${limits.BODY_BYTES_MAX} bytes. Send smaller batches.`,
    },
    too_many_events: {
      when: 'The batch has more events than the limit.',
      detail: `A request may have at most ${limits.EVENTS_PER_REQUEST_MAX} events. Send smaller batches.`,
    },
    url_too_long: {
      when: 'Path and query are longer than the limit.',
      detail: `A URL may have at most ${limits.URL_BYTES_MAX} bytes.`,
    },
    rate_limited: {
      when: 'The caller sent more requests, events or logins than the limit allows.',
      detail: 'Too many requests. Send again later.',
    },
    headers_too_large: {
      when: 'The request line and headers together are larger than the limit.',
      detail: 'Send a shorter URL, and fewer or shorter headers.',
    },
    internal: {
      when: 'The service has a bug; its log has the error under the request id.',
      detail: 'Report it with the request id 3f0c5f0e-8f6f-4d55-9c53-0f2f0f8d8f5b.',
    },
    cold_file_damaged: {
      when: 'A cold file that the query needs is missing or altered.',
      detail: 'Cold file day=2025-08-01/1-1.parquet of 2025-08-01 is missing. Restore it from a backup.',
    },
    query_failed: { when: 'The query engine failed.', detail: 'The query failed.' },
    queue_full: {
      when: 'Too many events or bytes of other requests are queued.',
      detail: 'Too many bytes of other requests are in flight. Send again later.',
    },
    store_unavailable: {
      when: 'The write could not be committed. Send it again; each event counts once.',
      detail: 'The events could not be committed. Send them again; each is counted once.',
    },
    disk_full: {
      when: 'The disk has too little free space for events. Queries are still answered.',
      detail: 'Nothing was stored. Send the events again later.',
    },
    logins_busy: {
      when: 'Too many logins are being checked.',
      detail: 'Too many logins are being checked. Try again later.',
    },
    query_line_full: {
      when: 'Too many queries are waiting.',
      detail: `${limits.QUERIES_WAITING_MAX} queries are waiting. Try again later.`,
    },
    query_timeout: {
      when: 'The query waited and ran longer than the limit.',
      detail: `The query took more than ${limits.QUERY_TIMEOUT_MS} ms.`,
    },
    not_ready: {
      when: 'The service is starting or stopping.',
      detail: 'the mirror of the hot rows is not ready',
    },
  } satisfies Partial<Record<ProblemCode, Situation>>
}

export type SituationCode = keyof ReturnType<typeof situationsOf>

/** Can occur on every route. */
export const EVERYWHERE: readonly SituationCode[] = [
  'bad_request',
  'request_timeout',
  'url_too_long',
  'headers_too_large',
  'internal',
]
/** Can occur on every route with a scope, where requests are authenticated and rate-limited. */
export const AT_THE_GATE: readonly SituationCode[] = ['unauthorized', 'forbidden', 'rate_limited']
/** Can occur on every route that uses the query engine. */
export const WHEN_ASKING: readonly SituationCode[] = [
  'cold_file_damaged',
  'query_failed',
  'query_line_full',
  'query_timeout',
  'not_ready',
]
/** Can occur on every route that uses the writer. */
export const WHEN_WRITING: readonly SituationCode[] = ['queue_full', 'store_unavailable']
