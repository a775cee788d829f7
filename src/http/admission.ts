import type { Context, MiddlewareHandler } from 'hono'
import { readCredential } from '../auth/credential.ts'
import type { Caller, Gate } from '../auth/gate.ts'
import { covers } from '../auth/scope.ts'
import type { Scope } from '../auth/scope.ts'
import type { Config } from '../config.ts'
import { clientAddress, networkOf, parseProxies } from '../limits/address.ts'
import { createBuckets } from '../limits/buckets.ts'
import { Problem } from '../problem/problem.ts'
import { policyOf, stateOf } from './rate-limit-fields.ts'
import type { NamedBuckets } from './rate-limit-fields.ts'

/** Authenticates, rate-limits and authorizes requests before they reach a route. */
export interface Admission {
  /** Sets the RateLimit headers. Outermost middleware, so that rejected requests get them too. */
  readonly tellLimits: MiddlewareHandler<AdmissionEnv>
  /** Lets a request pass if its caller has the scope and is within the rate limit. */
  require(scope: Scope): MiddlewareHandler<AdmissionEnv>
  /**
   * Refuses a caller who has no event left in the rate limit, before its body is read.
   * @throws {Problem} `rate_limited`
   */
  requireEvents(c: Counted): void
  /**
   * Takes the events of a batch from the rate limit before they are stored, all or none.
   * @throws {Problem} `rate_limited`
   */
  takeEvents(c: Counted, count: number): void
  /** Returns the client address that limits count; an IPv6 address as its /64 network. */
  addressOf(c: Context): string
}

export interface AdmissionEnv {
  Variables: {
    /** By whom limits and shares count: `key/3`, `user/7` or a network address; absent on routes without a scope. */
    bucket?: string
    /** For the RateLimit headers. */
    limits?: { counted: readonly NamedBuckets[]; state: string }
    /** `key/3` or `user/7`, for the log and as the owner of idempotency keys. */
    caller?: string
  }
}

/** The part of the Hono context that counting needs. */
interface Counted {
  get(name: 'bucket'): string | undefined
  set(name: 'limits', value: NonNullable<AdmissionEnv['Variables']['limits']>): void
}

export interface AdmissionOptions {
  gate: Gate
  onKeyUse: (key: number) => void
  config: Config
  /** Monotonic, so that setting the wall clock does not change rate limits. */
  now_ms: () => number
}

const REALM = 'Bearer realm="frostline"'

export function createAdmission({ gate, onKeyUse, config, now_ms }: AdmissionOptions): Admission {
  const { RATE_LIMIT_RPS, RATE_LIMIT_BURST, RATE_LIMIT_EPS } = config
  const bucketsOf = (per_s: number | null, burst: number) =>
    per_s === null ? null : createBuckets({ per_s, burst }, now_ms)
  const requests = bucketsOf(RATE_LIMIT_RPS, RATE_LIMIT_BURST)
  // One second's worth. After a larger batch, later requests wait until the debt is repaid.
  const events = bucketsOf(RATE_LIMIT_EPS, RATE_LIMIT_EPS ?? 0)
  const proxies = parseProxies(config.TRUSTED_PROXIES)!
  const per_request = requests === null ? [] : [{ name: 'requests', buckets: requests } as const]
  const per_batch = [
    ...per_request,
    ...(events === null ? [] : [{ name: 'events', buckets: events } as const]),
  ]

  function addressOf(c: Context): string {
    // Absent if the app is called without a socket.
    const env = c.env as { incoming?: { socket: { remoteAddress?: string } } } | undefined
    const remote = env?.incoming?.socket.remoteAddress
    return networkOf(clientAddress(remote, c.req.header('x-forwarded-for'), proxies))
  }

  /**
   * Returns the caller, null if the store needs no credentials, or a Problem if they are missing or
   * invalid.
   */
  function identify(c: Context): Caller | Problem | null {
    if (!gate.closed) return null
    const credential = readCredential(c.req.header('authorization'), c.req.header('x-api-key'))
    if (credential.kind === 'none') {
      return unauthorized('Send a key or a token as Authorization: Bearer, or a key as X-Api-Key.', REALM)
    }
    const invalid = `${REALM}, error="invalid_token"`
    if (credential.kind === 'contradiction') {
      return unauthorized('Authorization and X-Api-Key differ. Send only one of them.', invalid)
    }
    return (
      gate.identify(credential.secret) ??
      unauthorized('The key or token is unknown, revoked or expired.', invalid)
    )
  }

  return {
    addressOf,
    async tellLimits(c, next) {
      await next()
      const limits = c.get('limits')
      if (limits === undefined) return
      c.res.headers.set('ratelimit-policy', policyOf(limits.counted))
      c.res.headers.set('ratelimit', limits.state)
    },
    require: (scope) =>
      async function admit(c, next) {
        const caller = identify(c)
        const known = caller !== null && !(caller instanceof Problem)
        if (known) c.set('caller', `${caller.kind}/${caller.id}`)
        c.set('bucket', known ? `${caller.kind}/${caller.id}` : addressOf(c))
        for (const limit of per_request) take(c, per_request, limit, 1)
        if (caller instanceof Problem) throw caller
        if (known) {
          if (caller.kind === 'key') onKeyUse(caller.id)
          if (!covers(caller.scopes, scope)) throw forbidden(scope)
        }
        await next()
      },
    requireEvents(c) {
      const wait_s = events?.wait(c.get('bucket')!, 1) ?? 0
      if (wait_s > 0) refuse(c, per_batch, 'events', wait_s)
    },
    takeEvents(c, count) {
      for (const limit of per_batch) {
        if (limit.name === 'events') take(c, per_batch, limit, count)
      }
    },
  }
}

/** Takes tokens from one limit, and stores the state of all for the RateLimit headers. */
function take(c: Counted, limits: readonly NamedBuckets[], limit: NamedBuckets, count: number) {
  const bucket = c.get('bucket')!
  const wait_s = limit.buckets.take(bucket, count)
  if (wait_s === 0) {
    c.set('limits', { counted: limits, state: stateOf(limits, bucket) })
    return
  }
  refuse(c, limits, limit.name, wait_s)
}

function refuse(
  c: Counted,
  limits: readonly NamedBuckets[],
  name: NamedBuckets['name'],
  wait_s: number,
): never {
  const refused = { name, retry_after_s: Math.ceil(wait_s) }
  c.set('limits', { counted: limits, state: stateOf(limits, c.get('bucket')!, refused) })
  throw new Problem('rate_limited', `Too many ${name}. Send again later.`, {
    retry_after_s: refused.retry_after_s,
  })
}

function unauthorized(detail: string, challenge: string): Problem {
  return new Problem('unauthorized', detail, { headers: { 'www-authenticate': challenge } })
}

function forbidden(scope: Scope): Problem {
  return new Problem('forbidden', `The scope ${scope} is required.`, {
    headers: { 'www-authenticate': `${REALM}, error="insufficient_scope", scope="${scope}"` },
  })
}
