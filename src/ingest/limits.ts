import type { Config } from '../config.ts'
import type { BodyLimits } from './body.ts'
import type { CommitLimits } from './commit.ts'

/** Maps the configuration to the limits of ingestion. */

/** Limits of dead letters and stored replies. */
export function commitLimits(config: Config): CommitLimits {
  return {
    letters: {
      letters_max: config.DEAD_LETTERS_MAX,
      bytes_max: config.DEAD_LETTERS_BYTES_MAX,
      age_max_days: config.DEAD_LETTERS_AGE_MAX_DAYS,
    },
    replies: { ttl_s: config.IDEMPOTENCY_TTL_S, keys_max: config.IDEMPOTENCY_KEYS_MAX },
  }
}

/** Limits of one request body, and of all bodies in flight. */
export function bodyLimits(config: Config): BodyLimits {
  return {
    body_bytes_max: config.BODY_BYTES_MAX,
    inflated_bytes_max: config.BODY_INFLATED_BYTES_MAX,
    in_flight_bytes_max: config.BODIES_IN_FLIGHT_BYTES_MAX,
    caller_bytes_max: config.BODIES_IN_FLIGHT_PER_CALLER_BYTES_MAX,
    stall_timeout_ms: config.BODY_STALL_TIMEOUT_MS,
  }
}
