import type { Context } from 'hono'
import { refused } from '../../ingest/ingest.ts'
import { createKeysInFlight, keyedRequest, readIdempotencyKey } from '../../ingest/keys-in-flight.ts'
import type { ReplayDeps } from '../../ingest/replay.ts'
import { Problem } from '../../problem/problem.ts'
import type { Admission } from '../admission.ts'
import type { Handlers } from '../handler.ts'
import { incomingBody } from '../incoming.ts'

/** `POST /events`. */

export interface IngestDeps extends ReplayDeps {
  admission: Pick<Admission, 'requireEvents' | 'takeEvents'>
}

/** Owner of idempotency keys while the store has no credentials. */
const ANONYMOUS = 'anonymous'

export function eventHandlers({
  admission,
  judging,
  ingest,
  bodies,
  refusal,
}: IngestDeps): Handlers<'POST /events'> {
  const keysInFlight = createKeysInFlight()

  return {
    async 'POST /events'(c) {
      const strict = parseStrict(c)
      // Checked before the body is read, because it could not be stored.
      const fault = refusal()
      if (fault !== null) throw fault
      admission.requireEvents(c)
      const key = readIdempotencyKey(c.req.header('idempotency-key'))
      const owner = c.get('caller') ?? ANONYMOUS
      const { reply, replayed } = await keysInFlight.hold(owner, key, () =>
        bodies.withBody(incomingBody(c), async (body) => {
          const asked = `POST /events strict=${strict}`
          const keyed = key === null ? {} : { keyed: await keyedRequest(owner, key, asked, body) }
          const judgement = await judging.body(body)
          admission.takeEvents(c, judgement.judged.received)
          return ingest(judgement, { strict, source: c.get('bucket')!, ...keyed })
        }),
      )
      c.set('events', reply.received)
      const headers: Record<string, string> = replayed ? { 'idempotency-replayed': 'true' } : {}
      if (reply.received > 0 && reply.rejected === reply.received) throw refused(reply, headers)
      return c.json(reply, 200, headers)
    },
  }
}

/**
 * Unknown parameters are errors: a misspelt `strict`, if ignored, would store a batch that should
 * be rejected.
 */
function parseStrict(c: Context): boolean {
  const { strict = ['false'], ...others } = c.req.queries()
  if (Object.keys(others).length > 0) throw wrongParameter('', 'the only parameter is strict')
  if (strict.length === 1 && strict[0] === 'true') return true
  if (strict.length === 1 && strict[0] === 'false') return false
  throw wrongParameter('strict', 'strict must be given once, as true or false')
}

function wrongParameter(path: string, message: string): Problem {
  return new Problem('invalid_parameter', message, { errors: [{ path, message }] })
}
