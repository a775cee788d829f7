import type { ProblemCode } from './problems.ts'

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
