import { Readable } from 'node:stream'
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import type { IncomingBody } from '../ingest/body.ts'

/** Node's own stream of the body, or what a caller without a socket gave. */
export function incomingBody(c: Context): IncomingBody {
  const { incoming } = c.env as Partial<HttpBindings>
  const stream = incoming ?? (c.req.raw.body === null ? Readable.from([]) : Readable.fromWeb(c.req.raw.body))
  return { header: (name) => c.req.header(name), stream }
}
