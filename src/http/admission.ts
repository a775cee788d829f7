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

/** What stands between a request and its route: who asks, how much, and whether they may. */
export interface Admission {
  /** Tells the client of its limits. Outermost, so that refusals tell of them too. */
  readonly tellLimits: MiddlewareHandler<AdmissionEnv>
  /** Lets in who has the scope and has not asked too much. */
  require(scope: Scope): MiddlewareHandler<AdmissionEnv>
  /**
   * Counts a batch before it is stored, all of it or none.
   * @throws {Problem} `rate_limited`
   */
  takeEvents(c: Counted, count: number): void
  /** Where a request comes from, as the login limit counts it. */
  addressOf(c: Context): string
}

export interface AdmissionEnv {
  Variables: {
    /** Whose requests count together; absent where nothing is counted. */
    bucket?: string
    /** What the reply tells of the limits. */
    limits?: { counted: readonly NamedBuckets[]; state: string }
    /** In the log: `key/3`, `user/7`. */
    caller?: string
  }
}

/** What counting needs of a request's context. */
interface Counted {
  get(name: 'bucket'): string | undefined
  set(name: 'limits', value: NonNullable<AdmissionEnv['Variables']['limits']>): void
}

export interface AdmissionOptions {
  gate: Gate
  onKeyUse: (key: number) => void
  config: Config
  /** A clock that never jumps: what is limited per second must not depend on what the wall clock is set to. */
  now_ms: () => number
}

const REALM = 'Bearer realm="frostline"'

export function createAdmission({ gate, onKeyUse, config, now_ms }: AdmissionOptions): Admission {
  const { RATE_LIMIT_RPS, RATE_LIMIT_BURST, RATE_LIMIT_EPS } = config
  const bucketsOf = (per_s: number | null, burst: number) =>
    per_s === null ? null : createBuckets({ per_s, burst }, now_ms)
  const requests = bucketsOf(RATE_LIMIT_RPS, RATE_LIMIT_BURST)
  // A second's worth: a larger batch is paid for afterwards.
  const events = bucketsOf(RATE_LIMIT_EPS, RATE_LIMIT_EPS ?? 0)
  const proxies = parseProxies(config.TRUSTED_PROXIES)!
  const per_request = requests === null ? [] : [{ name: 'requests', buckets: requests } as const]
  const per_batch = [
    ...per_request,
    ...(events === null ? [] : [{ name: 'events', buckets: events } as const]),
  ]

  function addressOf(c: Context): string {
    // Absent when the app is asked without a socket.
    const env = c.env as { incoming?: { socket: { remoteAddress?: string } } } | undefined
    const remote = env?.incoming?.socket.remoteAddress
    return networkOf(clientAddress(remote, c.req.header('x-forwarded-for'), proxies))
  }

  /** Who asks; null where nobody needs to say, a Problem where they must and did not. */
  function identify(c: Context): Caller | Problem | null {
    if (!gate.closed) return null
    const credential = readCredential(c.req.header('authorization'), c.req.header('x-api-key'))
    if (credential.kind === 'none') {
      return unauthorized('Send a key or a token as Authorization: Bearer, or a key as X-Api-Key.', REALM)
    }
    const invalid = `${REALM}, error="invalid_token"`
    if (credential.kind === 'contradiction') {
      return unauthorized('Authorization and X-Api-Key differ. Send one of them.', invalid)
    }
    return (
      gate.identify(credential.secret) ?? unauthorized('The key or token is not valid (any more).', invalid)
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
    takeEvents(c, count) {
      for (const limit of per_batch) {
        if (limit.name === 'events') take(c, per_batch, limit, count)
      }
    },
  }
}

/** Takes from one limit, and notes what the reply tells of all of them. */
function take(c: Counted, limits: readonly NamedBuckets[], limit: NamedBuckets, count: number) {
  const bucket = c.get('bucket')!
  const wait_s = limit.buckets.take(bucket, count)
  if (wait_s === 0) {
    c.set('limits', { counted: limits, state: stateOf(limits, bucket) })
    return
  }
  const refused = { name: limit.name, retry_after_s: Math.ceil(wait_s) }
  c.set('limits', { counted: limits, state: stateOf(limits, bucket, refused) })
  throw new Problem('rate_limited', `More ${limit.name} than the limit. Send again later.`, {
    retry_after_s: refused.retry_after_s,
  })
}

function unauthorized(detail: string, challenge: string): Problem {
  return new Problem('unauthorized', detail, { headers: { 'www-authenticate': challenge } })
}

function forbidden(scope: Scope): Problem {
  return new Problem('forbidden', `This needs the scope ${scope}.`, {
    headers: { 'www-authenticate': `${REALM}, error="insufficient_scope", scope="${scope}"` },
  })
}
