import type { Config } from '../../config.ts'
import { BODY_DEPTH_MAX } from '../../event/nesting.ts'
import type { ProblemCode } from '../../problem/problems.ts'

/** Problems that no single request can cause, each with an example of its `detail`. */

export function situationsOf(limits: Config) {
  return {
    bad_request: 'The request line, a header or the framing of the body is invalid.',
    unauthorized: 'Send a key or a token as Authorization: Bearer, or a key as X-Api-Key.',
    forbidden: 'The scope admin is required.',
    misdirected_request:
      'A store without keys answers only to names of this machine, and those in ALLOWED_HOSTS.',
    foreign_origin:
      'A store without keys takes nothing from pages of other origins, except those in CORS_ORIGINS.',
    request_timeout: 'Send the whole request faster, or in smaller parts.',
    idempotency_key_in_use: 'Send the request again later.',
    nested_too_deep: `It is nested deeper than ${BODY_DEPTH_MAX} levels.`,
    body_too_large: `A body may have at most ${limits.BODY_BYTES_MAX} bytes. Send smaller batches.`,
    too_many_events: `A request may have at most ${limits.EVENTS_PER_REQUEST_MAX} events. Send smaller batches.`,
    url_too_long: `A URL may have at most ${limits.URL_BYTES_MAX} bytes.`,
    rate_limited: 'Too many requests. Send again later.',
    headers_too_large: 'Send a shorter URL, and fewer or shorter headers.',
    internal: 'Report it with the request id 3f0c5f0e-8f6f-4d55-9c53-0f2f0f8d8f5b.',
    cold_file_damaged:
      'Cold file day=2025-08-01/1-1.parquet of 2025-08-01 is missing. Restore it from a backup.',
    query_failed: 'The query failed.',
    queue_full: 'Too many bytes of other requests are in flight. Send again later.',
    store_unavailable: 'The events could not be committed. Send them again; each is counted once.',
    validation_timeout: `The body took more than ${limits.JUDGE_TIMEOUT_MS} ms. Send smaller batches.`,
    disk_full: 'Nothing was stored. Send the events again later.',
    logins_busy: 'Too many logins are being checked. Try again later.',
    query_line_full: `${limits.QUERIES_WAITING_MAX} queries are waiting. Try again later.`,
    query_timeout: `The query took more than ${limits.QUERY_TIMEOUT_MS} ms.`,
    query_out_of_memory: `The query needs more than ${limits.QUERY_MEMORY_MB} MB. Ask for fewer days.`,
    not_ready: 'the mirror of the hot rows is not ready',
  } satisfies Partial<Record<ProblemCode, string>>
}

export type SituationCode = keyof ReturnType<typeof situationsOf>

/** Can occur on every route. */
export const EVERYWHERE: readonly SituationCode[] = [
  'bad_request',
  'misdirected_request',
  'request_timeout',
  'url_too_long',
  'headers_too_large',
  'internal',
]
/** Can occur on every route that changes something. */
export const WHEN_CHANGING: readonly SituationCode[] = ['foreign_origin']
/** Can occur on every route with a scope, where requests are authenticated and rate-limited. */
export const AT_THE_GATE: readonly SituationCode[] = ['unauthorized', 'forbidden', 'rate_limited']
/** Can occur on every route that uses the query engine. */
export const WHEN_ASKING: readonly SituationCode[] = [
  'cold_file_damaged',
  'query_failed',
  'query_line_full',
  'query_timeout',
  'query_out_of_memory',
  'not_ready',
]
/** Can occur on every route that uses the writer. */
export const WHEN_WRITING: readonly SituationCode[] = ['queue_full', 'store_unavailable', 'not_ready']
