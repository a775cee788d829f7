/** Every failure a client can see (RFC 9457). The README lists them; a test compares. */

export interface ProblemKind {
  status: number
  title: string
  /** Seconds after which trying again makes sense. */
  retry_after_s?: number
}

export const PROBLEMS = {
  not_json: { status: 400, title: 'The body is not valid JSON' },
  not_an_array: { status: 400, title: 'The body must be an array of events, or one event' },
  not_csv: { status: 400, title: 'The body is not a CSV file of events' },
  not_msgpack: { status: 400, title: 'The body is not valid MessagePack' },
  nested_too_deep: { status: 400, title: 'The body is nested deeper than the limit' },
  damaged_encoding: { status: 400, title: 'The body cannot be decompressed' },
  invalid_parameter: { status: 400, title: 'A query parameter is missing or wrong' },
  invalid_header: { status: 400, title: 'A header of the request is wrong' },
  bad_request: { status: 400, title: 'The request is not valid HTTP' },
  unauthorized: { status: 401, title: 'This needs a key or a login' },
  forbidden: { status: 403, title: 'The key or login may not do this' },
  not_found: { status: 404, title: 'There is nothing at this address' },
  method_not_allowed: { status: 405, title: 'This address does not take this method' },
  request_timeout: { status: 408, title: 'The request did not come in time' },
  name_taken: { status: 409, title: 'Somebody has this name' },
  idempotency_key_in_use: {
    status: 409,
    title: 'A request with this Idempotency-Key is being worked on',
    retry_after_s: 1,
  },
  body_too_large: { status: 413, title: 'The body is larger than the limit' },
  too_many_events: { status: 413, title: 'The batch has more events than the limit' },
  url_too_long: { status: 414, title: 'The address is longer than the limit' },
  unsupported_media_type: { status: 415, title: 'The body has a format or an encoding that is not taken' },
  invalid_events: { status: 422, title: 'No event of the batch was stored' },
  idempotency_key_reused: { status: 422, title: 'This Idempotency-Key was used for another request' },
  invalid_login: { status: 422, title: 'The name or the password cannot be used' },
  rate_limited: { status: 429, title: 'More than the rate limit' },
  headers_too_large: { status: 431, title: 'The head of the request is larger than the limit' },
  /** Stands in the log alone: nobody is there to read the answer. */
  client_left: { status: 499, title: 'The client left before the answer' },
  internal: { status: 500, title: 'The service failed; its log has the reason' },
  cold_file_damaged: { status: 500, title: 'A cold file that this question needs is missing or damaged' },
  query_failed: { status: 500, title: 'The question could not be answered; the log has the reason' },
  queue_full: { status: 503, title: 'The write queue is full', retry_after_s: 1 },
  store_unavailable: { status: 503, title: 'The store did not take the write', retry_after_s: 5 },
  disk_full: { status: 503, title: 'The disk has too little free space for events', retry_after_s: 30 },
  logins_busy: { status: 503, title: 'Too many logins are being checked', retry_after_s: 1 },
  query_line_full: { status: 503, title: 'Too many questions are waiting', retry_after_s: 1 },
  query_timeout: { status: 503, title: 'The question took longer than the limit', retry_after_s: 5 },
  not_ready: { status: 503, title: 'The service is starting or stopping', retry_after_s: 1 },
} as const satisfies Record<string, ProblemKind>

export type ProblemCode = keyof typeof PROBLEMS

/** What is wrong with one field. Names it, never repeats its value. */
export interface FieldError {
  /** The field; empty where it is no single one. */
  path: string
  message: string
}

export interface ProblemEntry extends FieldError {
  index?: number
  event_id?: string
}

export interface ProblemOptions {
  errors?: readonly ProblemEntry[]
  extra?: Record<string, unknown>
  cause?: unknown
  headers?: Record<string, string>
  /** In place of the one that all problems of this kind have. */
  retry_after_s?: number
}

/** A failure on its way to the client. `detail` and `errors` never repeat what the client sent. */
export class Problem extends Error {
  override name = 'Problem'
  readonly code: ProblemCode
  readonly errors: readonly ProblemEntry[] | undefined
  readonly extra: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ProblemCode, detail: string, options: ProblemOptions = {}) {
    super(detail, { cause: options.cause })
    this.code = code
    this.errors = options.errors
    this.extra = options.extra ?? {}
    const { retry_after_s } = options
    this.headers = {
      ...options.headers,
      ...(retry_after_s === undefined ? {} : { 'retry-after': String(retry_after_s) }),
    }
  }
}
