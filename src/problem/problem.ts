/** Every problem that a client can get (RFC 9457). A test compares this table with the documentation. */

export interface ProblemKind {
  status: number
  title: string
  /** Sent as `Retry-After`. */
  retry_after_s?: number
}

export const PROBLEMS = {
  not_json: { status: 400, title: 'The body is not valid JSON' },
  not_an_array: { status: 400, title: 'The body must be an array of events, or one event' },
  not_csv: { status: 400, title: 'The body is not a CSV file of events' },
  not_msgpack: { status: 400, title: 'The body is not valid MessagePack' },
  nested_too_deep: { status: 400, title: 'The body is nested deeper than the limit' },
  damaged_encoding: { status: 400, title: 'The body cannot be decompressed' },
  invalid_parameter: { status: 400, title: 'A query parameter is missing or invalid' },
  invalid_header: { status: 400, title: 'A request header is invalid' },
  bad_request: { status: 400, title: 'The request is not valid HTTP' },
  unauthorized: { status: 401, title: 'A key or a login is required' },
  forbidden: { status: 403, title: 'The key or login lacks the required scope' },
  foreign_origin: { status: 403, title: 'The store takes nothing from pages of this origin' },
  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: { status: 405, title: 'The method is not allowed for this path' },
  request_timeout: { status: 408, title: 'The request did not arrive in time' },
  name_taken: { status: 409, title: 'The name is taken' },
  idempotency_key_in_use: {
    status: 409,
    title: 'A request with this Idempotency-Key is in progress',
    retry_after_s: 1,
  },
  body_too_large: { status: 413, title: 'The body is larger than the limit' },
  too_many_events: { status: 413, title: 'The batch has more events than the limit' },
  url_too_long: { status: 414, title: 'The URL is longer than the limit' },
  unsupported_media_type: { status: 415, title: 'The format or encoding of the body is not supported' },
  misdirected_request: { status: 421, title: 'The service does not answer to this host name' },
  invalid_events: { status: 422, title: 'No event of the batch was stored' },
  idempotency_key_reused: { status: 422, title: 'This Idempotency-Key was used for another request' },
  invalid_login: { status: 422, title: 'The name or the password is not valid' },
  rate_limited: { status: 429, title: 'The rate limit is exceeded' },
  headers_too_large: { status: 431, title: 'The request line and headers are larger than the limit' },
  /** Appears only in the log: the client cannot read the reply. */
  client_left: { status: 499, title: 'The client disconnected before the reply' },
  internal: { status: 500, title: 'The service failed; see its log' },
  cold_file_damaged: { status: 500, title: 'A cold file needed by the query is missing or damaged' },
  query_failed: { status: 500, title: 'The query failed; see the log of the service' },
  queue_full: { status: 503, title: 'The write queue is full', retry_after_s: 1 },
  store_unavailable: { status: 503, title: 'The write could not be committed', retry_after_s: 5 },
  validation_timeout: {
    status: 503,
    title: 'Validating the body took longer than the limit',
    retry_after_s: 5,
  },
  disk_full: { status: 503, title: 'The disk has too little free space for events', retry_after_s: 30 },
  logins_busy: { status: 503, title: 'Too many logins are being checked', retry_after_s: 1 },
  query_line_full: { status: 503, title: 'Too many queries are waiting', retry_after_s: 1 },
  query_timeout: { status: 503, title: 'The query took longer than the limit', retry_after_s: 5 },
  not_ready: { status: 503, title: 'The service is starting or stopping', retry_after_s: 1 },
} as const satisfies Record<string, ProblemKind>

export type ProblemCode = keyof typeof PROBLEMS

/** What is wrong with one field. Never contains the value that was sent. */
export interface FieldError {
  /** Name of the field; empty if the error concerns no single field. */
  path: string
  message: string
}

export interface ProblemEntry extends FieldError {
  index?: number
  event_id?: string
}

export interface ProblemOptions {
  errors?: readonly ProblemEntry[]
  /** More members of the problem document. */
  extra?: Record<string, unknown>
  /** Logged, never sent to the client. */
  cause?: unknown
  headers?: Record<string, string>
  /** Overrides the value in PROBLEMS. */
  retry_after_s?: number
}

/** An error that is sent to the client. `detail` and `errors` never contain values from the request. */
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
