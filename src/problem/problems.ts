/**
 * Every problem that a client can get (RFC 9457). Replies, the pages at `/problems` and the OpenAPI document are made from this
 * table; a test compares it with the documentation.
 */

export interface ProblemKind {
  status: number
  title: string
  /** What it means, as sentences. */
  meaning: string
  /** What the client or the operator can do, as a sentence. */
  remedy: string
  /** Sent as `Retry-After`. */
  retry_after_s?: number
}

export const PROBLEMS = {
  not_json: {
    status: 400,
    title: 'The body is not valid JSON',
    meaning: 'The body is not valid JSON in UTF-8.',
    remedy: 'Send valid JSON, or the Content-Type that the body has.',
  },
  not_an_array: {
    status: 400,
    title: 'The body must be an array of events, or one event',
    meaning: 'The body was read, but is neither an array nor one event.',
    remedy: 'Send an array of events, or one event.',
  },
  not_csv: {
    status: 400,
    title: 'The body is not a CSV file of events',
    meaning: 'The header is missing, or does not have the columns of an import.',
    remedy: 'Send a header with the columns that the detail names.',
  },
  not_msgpack: {
    status: 400,
    title: 'The body is not valid MessagePack',
    meaning: 'The body is not valid MessagePack.',
    remedy: 'Send an array of maps or one map, or the Content-Type that the body has.',
  },
  nested_too_deep: {
    status: 400,
    title: 'The body is nested deeper than the limit',
    meaning:
      'The body has more than 1,000 levels, in MessagePack or in JSON with more than 524,288 brackets.',
    remedy: 'Send flatter events: `properties` have at most 32 levels in any case.',
  },
  damaged_encoding: {
    status: 400,
    title: 'The body cannot be decompressed',
    meaning: 'The compressed body is truncated, damaged, or followed by other bytes.',
    remedy: 'Compress the whole body once, as Content-Encoding says.',
  },
  invalid_parameter: {
    status: 400,
    title: 'A query parameter is missing or invalid',
    meaning: 'A query parameter is missing, wrong or unknown.',
    remedy: 'Correct the parameters that `errors` names.',
  },
  invalid_header: {
    status: 400,
    title: 'A request header is invalid',
    meaning: 'A header has a value that it cannot have.',
    remedy: 'Correct the header that the detail names.',
  },
  bad_request: {
    status: 400,
    title: 'The request is not valid HTTP',
    meaning: 'The request line, a header or the framing of the body is invalid.',
    remedy: 'Use an HTTP client, and send a Host header.',
  },
  unauthorized: {
    status: 401,
    title: 'A key or a login is required',
    meaning:
      'There is no key or token; or it is unknown, revoked or expired; or two were sent that differ; or the user name or password is wrong.',
    remedy: 'Send a valid key or token as Authorization: Bearer, or a key as X-Api-Key.',
  },
  forbidden: {
    status: 403,
    title: 'The key or login lacks the required scope',
    meaning: 'The key or token is valid, but lacks the scope of the route.',
    remedy: 'Use a key or login with the scope that the detail names.',
  },
  foreign_origin: {
    status: 403,
    title: 'The store takes nothing from pages of this origin',
    meaning: 'The store has no keys, and a web page of another origin sent the request.',
    remedy: 'Name the origin of the page in `CORS_ORIGINS`, or create keys.',
  },
  not_found: {
    status: 404,
    title: 'Not found',
    meaning: 'There is no such address or dead letter.',
    remedy: '`GET /` lists all addresses; `GET /dead-letters` lists the letters that still exist.',
  },
  method_not_allowed: {
    status: 405,
    title: 'The method is not allowed for this path',
    meaning: 'The address does not take this method.',
    remedy: 'Use a method that `Allow` lists.',
  },
  request_timeout: {
    status: 408,
    title: 'The request did not arrive in time',
    meaning:
      'The headers took longer than `HEADERS_TIMEOUT_MS`, the whole request longer than `REQUEST_TIMEOUT_MS`, or nothing of the body arrived for `BODY_STALL_TIMEOUT_MS`.',
    remedy: 'Send the whole request faster, or in smaller parts.',
  },
  name_taken: {
    status: 409,
    title: 'The name is taken',
    meaning: 'A user of this name exists.',
    remedy: 'Register another name.',
  },
  idempotency_key_in_use: {
    status: 409,
    title: 'A request with this Idempotency-Key is in progress',
    meaning: 'Another request with this `Idempotency-Key` is in progress.',
    remedy: 'Send the request again after `Retry-After`.',
    retry_after_s: 1,
  },
  body_too_large: {
    status: 413,
    title: 'The body is larger than the limit',
    meaning: 'The body has more than `BODY_BYTES_MAX`, or more than `BODY_INFLATED_BYTES_MAX` once inflated.',
    remedy: 'Send smaller batches.',
  },
  too_many_events: {
    status: 413,
    title: 'The batch has more events than the limit',
    meaning: 'The batch has more than `EVENTS_PER_REQUEST_MAX` events.',
    remedy: 'Send smaller batches.',
  },
  url_too_long: {
    status: 414,
    title: 'The URL is longer than the limit',
    meaning: 'Path and query string are longer than `URL_BYTES_MAX`.',
    remedy: 'Send fewer or shorter parameters.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'The format or encoding of the body is not supported',
    meaning: 'The format or the compression of the body is unknown.',
    remedy: 'Send a format that `Accept-Post` lists, compressed as `Accept-Encoding` lists or not at all.',
  },
  misdirected_request: {
    status: 421,
    title: 'The service does not answer to this host name',
    meaning: 'The store has no keys, and `Host` is neither a loopback name nor in `ALLOWED_HOSTS`.',
    remedy: 'Name the host in `ALLOWED_HOSTS`, or create keys.',
  },
  invalid_events: {
    status: 422,
    title: 'No event of the batch was stored',
    meaning: 'Every event is invalid, or the batch is `strict` and one is. No event was stored.',
    remedy: 'Correct the events that `errors` names, and send them again.',
  },
  idempotency_key_reused: {
    status: 422,
    title: 'This Idempotency-Key was used for another request',
    meaning: 'A different request was sent with this `Idempotency-Key` before.',
    remedy: 'Use a new key for every batch.',
  },
  invalid_login: {
    status: 422,
    title: 'The name or the password is not valid',
    meaning: 'The user name or password breaks a rule.',
    remedy: 'Choose others by the rules in `errors`.',
  },
  rate_limited: {
    status: 429,
    title: 'The rate limit is exceeded',
    meaning: 'The caller is over the limit for requests, events or logins. Nothing of the batch was stored.',
    remedy: 'Send the request again after `Retry-After`.',
  },
  headers_too_large: {
    status: 431,
    title: 'The request line and headers are larger than the limit',
    meaning: 'Request line and headers have more than `HEADERS_BYTES_MAX`.',
    remedy: 'Send a shorter URL, and fewer or shorter headers.',
  },
  /** Appears only in the log: the client cannot read the reply. */
  client_left: {
    status: 499,
    title: 'The client disconnected before the reply',
    meaning: 'The client disconnected before the reply. Only the log has it.',
    remedy: 'Nothing, unless the client did not mean to leave.',
  },
  internal: {
    status: 500,
    title: 'The service failed; see its log',
    meaning: 'The service has a bug.',
    remedy: 'Look for the request id in the log, and report it.',
  },
  cold_file_damaged: {
    status: 500,
    title: 'A cold file needed by the query is missing or damaged',
    meaning: 'A cold file that the question needs is missing or damaged. The detail names file and day.',
    remedy: 'Restore the file from a backup.',
  },
  query_failed: {
    status: 500,
    title: 'The query failed; see the log of the service',
    meaning: 'The query engine failed.',
    remedy: 'Look into the log for the reason, and ask again.',
  },
  queue_full: {
    status: 503,
    title: 'The write queue is full',
    meaning: 'Too many events or bytes are waiting, of all callers or of this one. Nothing was stored.',
    remedy: 'Send the request again after `Retry-After`.',
    retry_after_s: 1,
  },
  store_unavailable: {
    status: 503,
    title: 'The write could not be committed',
    meaning:
      'The commit failed, or the database file was deleted. If an fsync failed and the service crashed at that moment, the events may already be stored.',
    remedy: 'Send the events again; each counts once.',
    retry_after_s: 5,
  },
  validation_timeout: {
    status: 503,
    title: 'Validating the body took longer than the limit',
    meaning: 'Parsing and validating the body took longer than `JUDGE_TIMEOUT_MS`. Nothing was stored.',
    remedy: 'Send smaller batches.',
    retry_after_s: 5,
  },
  disk_full: {
    status: 503,
    title: 'The disk has too little free space for events',
    meaning:
      'Less than `DISK_FREE_MIN_MB` is free. Nothing was read or stored; questions are still answered.',
    remedy: 'Free some disk space, and send the events again.',
    retry_after_s: 30,
  },
  logins_busy: {
    status: 503,
    title: 'Too many logins are being checked',
    meaning: 'More than 32 logins are waiting, or 16 from this address.',
    remedy: 'Log in again after `Retry-After`.',
    retry_after_s: 1,
  },
  query_line_full: {
    status: 503,
    title: 'Too many queries are waiting',
    meaning: 'More than `QUERIES_WAITING_MAX` questions are waiting, or half as many from this caller.',
    remedy: 'Ask again after `Retry-After`.',
    retry_after_s: 1,
  },
  query_timeout: {
    status: 503,
    title: 'The query took longer than the limit',
    meaning: 'The question waited and ran longer than `QUERY_TIMEOUT_MS`.',
    remedy: 'Ask for fewer days, or again later.',
    retry_after_s: 5,
  },
  query_out_of_memory: {
    status: 503,
    title: 'The query needs more memory than the limit',
    meaning: 'The questions that ran at that moment needed more than `QUERY_MEMORY_MB`.',
    remedy: 'Ask for fewer days, or again later; or raise `QUERY_MEMORY_MB`.',
    retry_after_s: 5,
  },
  not_ready: {
    status: 503,
    title: 'The service is starting or stopping',
    meaning: 'The service is starting or stopping; from `/readyz` also that it cannot store events, and why.',
    remedy: 'Send the request again after `Retry-After`.',
    retry_after_s: 1,
  },
} as const satisfies Record<string, ProblemKind>

export type ProblemCode = keyof typeof PROBLEMS

export const PROBLEM_CODES = Object.keys(PROBLEMS) as ProblemCode[]

/** The `type` of a problem document. The service explains it at this address. */
export function problemType(code: ProblemCode): string {
  return `/problems/${code}`
}
