import { resolve } from 'node:path'
import { validate as isCron } from 'node-cron'
import * as v from 'valibot'
import { parseProxies } from './limits/address.ts'
import { ConfigError } from './process/config-error.ts'
import { LOG_FORMATS } from './process/log.ts'

/** All settings, read from the environment. A test compares them with the documentation. */

function integer(name: string, min: number, max: number, fallback: number) {
  const message = `${name} must be a whole number from ${min} to ${max}`
  return v.optional(
    v.pipe(
      v.string(),
      v.regex(/^\d{1,15}$/, message),
      v.transform(Number),
      v.minValue(min, message),
      v.maxValue(max, message),
    ),
    String(fallback),
  )
}

function flag(name: string) {
  return v.optional(
    v.pipe(
      v.picklist(['true', 'false'], `${name} must be true or false`),
      v.transform((s) => s === 'true'),
    ),
    'false',
  )
}

function rate(name: string, max: number, fallback: number) {
  const message = `${name} must be a whole number from 1 to ${max}, or off`
  return v.optional(
    v.pipe(
      v.string(),
      v.regex(/^(\d{1,15}|off)$/, message),
      v.transform((s) => (s === 'off' ? null : Number(s))),
      v.check((n) => n === null || (n >= 1 && n <= max), message),
    ),
    String(fallback),
  )
}

/** 256 bits: RFC 7518 requires a key at least as long as the hash for HMAC-SHA256. */
const SECRET_CHARS_MIN = 32

const secret = v.optional(
  v.pipe(
    v.string(),
    v.check(
      (s) => s === '' || s.length >= SECRET_CHARS_MIN,
      `AUTH_JWT_SECRET must have at least ${SECRET_CHARS_MIN} characters`,
    ),
  ),
  '',
)

const proxies = v.optional(
  v.pipe(
    v.string(),
    v.check(
      (s) => parseProxies(s) !== null,
      'TRUSTED_PROXIES must be addresses and CIDR ranges, separated by commas',
    ),
  ),
  '',
)

const dataDir = v.optional(
  v.pipe(
    v.string(),
    v.minLength(1, 'DATA_DIR must not be empty'),
    v.transform((path) => resolve(path)),
  ),
  './data/store',
)

const cron = v.optional(
  v.pipe(
    v.string(),
    v.check((s) => s === 'off' || isCron(s), 'COMPACT_CRON must be a cron expression or off'),
  ),
  '5 * * * *',
)

const corsOrigins = v.optional(
  v.pipe(
    v.string(),
    v.transform((list) => (list === 'off' ? [] : list.split(',').map((origin) => origin.trim()))),
    v.check(
      (origins) => (origins.length === 1 && origins[0] === '*') || origins.every(isOrigin),
      'CORS_ORIGINS must be off, * or origins such as https://app.example.com, separated by commas',
    ),
  ),
  'off',
)

const allowedHosts = v.optional(
  v.pipe(
    v.string(),
    v.transform((list) => (list === '' ? [] : list.split(',').map(hostName))),
    v.check(
      (names) => names.every(isHostName),
      'ALLOWED_HOSTS must be host names without ports, such as store.example.com, separated by commas',
    ),
  ),
  '',
)

/** Lower case and without brackets: this is how it is compared. */
function hostName(text: string): string {
  return text
    .trim()
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
}

function isHostName(name: string): boolean {
  const url = `http://${name.includes(':') ? `[${name}]` : name}`
  return /^[\w.:-]+$/.test(name) && URL.canParse(url) && hostName(new URL(url).host) === name
}

function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

const MIB = 1024 * 1024

export const ENV_SCHEMA = v.object({
  PORT: integer('PORT', 0, 65_535, 8080),
  HOST: v.optional(v.pipe(v.string(), v.minLength(1, 'HOST must not be empty')), '127.0.0.1'),
  DATA_DIR: dataDir,
  LOG_LEVEL: v.optional(v.picklist(LOG_LEVELS, `LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}`), 'info'),
  LOG_FORMAT: v.optional(
    v.picklist(LOG_FORMATS, `LOG_FORMAT must be one of ${LOG_FORMATS.join(', ')}`),
    'auto',
  ),
  ALLOW_ANONYMOUS: flag('ALLOW_ANONYMOUS'),
  CORS_ORIGINS: corsOrigins,
  ALLOWED_HOSTS: allowedHosts,
  ALLOW_REGISTRATION: flag('ALLOW_REGISTRATION'),
  AUTH_JWT_SECRET: secret,
  AUTH_TOKEN_LIFETIME_S: integer('AUTH_TOKEN_LIFETIME_S', 60, 86_400, 3_600),
  RATE_LIMIT_RPS: rate('RATE_LIMIT_RPS', 1_000_000, 2_000),
  RATE_LIMIT_BURST: integer('RATE_LIMIT_BURST', 1, 1_000_000, 4_000),
  RATE_LIMIT_EPS: rate('RATE_LIMIT_EPS', 100_000_000, 500_000),
  TRUSTED_PROXIES: proxies,
  COMPACT_CRON: cron,
  HOT_DAYS: integer('HOT_DAYS', 0, 36_500, 1),
  REPLACED_FILE_GRACE_S: integer('REPLACED_FILE_GRACE_S', 0, 86_400, 120),
  URL_BYTES_MAX: integer('URL_BYTES_MAX', 1_024, 1_024 * 1_024, 8 * 1_024),
  HEADERS_BYTES_MAX: integer('HEADERS_BYTES_MAX', 4_096, 1_024 * 1_024, 16 * 1_024),
  HEADERS_TIMEOUT_MS: integer('HEADERS_TIMEOUT_MS', 100, 600_000, 10_000),
  REQUEST_TIMEOUT_MS: integer('REQUEST_TIMEOUT_MS', 100, 3_600_000, 120_000),
  BODY_BYTES_MAX: integer('BODY_BYTES_MAX', 1_024, 1_024 * MIB, 32 * MIB),
  BODY_INFLATED_BYTES_MAX: integer('BODY_INFLATED_BYTES_MAX', 1_024, 1_024 * MIB, 64 * MIB),
  BODIES_IN_FLIGHT_BYTES_MAX: integer('BODIES_IN_FLIGHT_BYTES_MAX', 1_024, 16_384 * MIB, 256 * MIB),
  BODIES_IN_FLIGHT_PER_CALLER_BYTES_MAX: integer(
    'BODIES_IN_FLIGHT_PER_CALLER_BYTES_MAX',
    1_024,
    16_384 * MIB,
    128 * MIB,
  ),
  BODY_STALL_TIMEOUT_MS: integer('BODY_STALL_TIMEOUT_MS', 100, 3_600_000, 15_000),
  JUDGE_TIMEOUT_MS: integer('JUDGE_TIMEOUT_MS', 100, 600_000, 10_000),
  EVENTS_PER_REQUEST_MAX: integer('EVENTS_PER_REQUEST_MAX', 1, 1_000_000, 100_000),
  WRITE_STUCK_TIMEOUT_MS: integer('WRITE_STUCK_TIMEOUT_MS', 100, 600_000, 10_000),
  WRITE_QUEUE_EVENTS_MAX: integer('WRITE_QUEUE_EVENTS_MAX', 1, 10_000_000, 300_000),
  IDEMPOTENCY_TTL_S: integer('IDEMPOTENCY_TTL_S', 1, 31_536_000, 86_400),
  IDEMPOTENCY_KEYS_MAX: integer('IDEMPOTENCY_KEYS_MAX', 1, 100_000_000, 1_000_000),
  DEAD_LETTERS_MAX: integer('DEAD_LETTERS_MAX', 1, 100_000_000, 100_000),
  DEAD_LETTERS_BYTES_MAX: integer('DEAD_LETTERS_BYTES_MAX', 65_536, 1_048_576 * MIB, 256 * MIB),
  DEAD_LETTERS_AGE_MAX_DAYS: integer('DEAD_LETTERS_AGE_MAX_DAYS', 1, 36_500, 30),
  DISK_FREE_MIN_MB: integer('DISK_FREE_MIN_MB', 0, 1_048_576, 256),
  QUERY_TIMEOUT_MS: integer('QUERY_TIMEOUT_MS', 1, 600_000, 30_000),
  QUERIES_RUNNING_MAX: integer('QUERIES_RUNNING_MAX', 1, 3, 2),
  QUERIES_WAITING_MAX: integer('QUERIES_WAITING_MAX', 0, 10_000, 64),
  QUERY_MEMORY_MB: integer('QUERY_MEMORY_MB', 64, 1_048_576, 1_024),
  QUERY_THREADS: integer('QUERY_THREADS', 1, 256, 2),
  JOB_MEMORY_MB: integer('JOB_MEMORY_MB', 128, 1_048_576, 1_024),
  VERIFY_INTERVAL_S: integer('VERIFY_INTERVAL_S', 0, 2_000_000, 3_600),
  SHUTDOWN_TIMEOUT_MS: integer('SHUTDOWN_TIMEOUT_MS', 100, 600_000, 20_000),
})

export type Config = v.InferOutput<typeof ENV_SCHEMA>

/**
 * Reads the configuration from environment variables.
 * @throws {ConfigError} with one line for each invalid value
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const known = Object.keys(ENV_SCHEMA.entries)
  // An empty variable (`PORT=` in an env file) counts as not set.
  const given = Object.fromEntries(known.filter((name) => env[name]).map((name) => [name, env[name]]))
  const result = v.safeParse(ENV_SCHEMA, given)
  if (result.success) return result.output
  throw new ConfigError(result.issues.map((issue) => issue.message).join('\n'))
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/

/** @param host a name or an address, without brackets */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host)
}

/**
 * A store without keys accepts every request, so it may listen only on loopback unless
 * ALLOW_ANONYMOUS is set.
 * @param closed whether the store has, or ever had, a key or a user
 * @throws {ConfigError} if other machines can reach HOST
 */
export function refuseOpenAddress(config: Config, closed: boolean): void {
  if (closed || isLoopback(config.HOST) || config.ALLOW_ANONYMOUS) return
  throw new ConfigError(
    `HOST=${config.HOST} is reachable from other machines, and the store has no keys. ` +
      'Create a key (frostline keys create), bind to 127.0.0.1, or set ALLOW_ANONYMOUS=true if a proxy authenticates the requests.',
  )
}
