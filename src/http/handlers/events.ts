import { Hono } from 'hono'
import type { Context } from 'hono'
import type { Admission, AdmissionEnv } from '../admission.ts'
import type { DiskSpace } from '../../store/space.ts'
import { Problem } from '../../problem/problem.ts'
import type { BodyReader } from '../../ingest/body.ts'
import { incomingBody } from '../incoming.ts'
import { refused } from '../../ingest/ingest.ts'
import type { Ingest } from '../../ingest/ingest.ts'
import type { Judging } from '../../ingest/judging.ts'
import { createKeysInFlight, keyedRequest, readIdempotencyKey } from '../../ingest/keys-in-flight.ts'

/** `POST /events`: the way in. */

export interface IngestDeps {
  admission: Pick<Admission, 'takeEvents'>
  judging: Pick<Judging, 'body'>
  ingest: Ingest
  space: Pick<DiskSpace, 'full'>
  bodies: BodyReader
}

interface Env {
  Variables: AdmissionEnv['Variables'] & {
    /** In the log: how many events came. */
    events?: number
  }
}

/** Whose keys and dead letters they are where nobody has to say who he is. */
const ANONYMOUS = 'anonymous'

export function createIngestRoutes({ admission, judging, ingest, space, bodies }: IngestDeps): Hono<Env> {
  const routes = new Hono<Env>()
  const keysInFlight = createKeysInFlight()

  routes.post('/events', async function postEvents(c) {
    const strict = parseStrict(c)
    // Before the body is read: there is nowhere to put it.
    if (space.full) throw new Problem('disk_full', 'Nothing was stored. Send the events again later.')
    const key = readIdempotencyKey(c.req.header('idempotency-key'))
    const source = c.get('caller') ?? ANONYMOUS
    const { reply, replayed } = await keysInFlight.hold(source, key, () =>
      bodies.withBody(incomingBody(c), async (body) => {
        const asked = `POST /events strict=${strict}`
        const keyed = key === null ? {} : { keyed: await keyedRequest(source, key, asked, body) }
        const judgement = await judging.body(body)
        admission.takeEvents(c, judgement.judged.received)
        return ingest(judgement, { strict, source, ...keyed })
      }),
    )
    c.set('events', reply.received)
    const headers: Record<string, string> = replayed ? { 'idempotency-replayed': 'true' } : {}
    if (reply.received > 0 && reply.rejected === reply.received) throw refused(reply, headers)
    return c.json(reply, 200, headers)
  })

  return routes
}

/** A misspelt `strict` that is ignored would store what was to be refused. */
function parseStrict(c: Context): boolean {
  const { strict = ['false'], ...others } = c.req.queries()
  if (Object.keys(others).length > 0) throw wrongParameter('', 'the only parameter is strict')
  if (strict.length === 1 && strict[0] === 'true') return true
  if (strict.length === 1 && strict[0] === 'false') return false
  throw wrongParameter('strict', 'strict must be true or false, once')
}

function wrongParameter(path: string, message: string): Problem {
  return new Problem('invalid_parameter', message, { errors: [{ path, message }] })
}
