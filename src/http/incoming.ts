import { Readable } from 'node:stream'
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import type { IncomingBody } from '../ingest/body.ts'
import type { Env } from './handler.ts'

/** Returns the body as Node's own stream, or as the web stream if the app is called without a socket. */
export function incomingBody(c: Context<Env>): IncomingBody {
  const { incoming } = c.env as Partial<HttpBindings>
  const stream = incoming ?? (c.req.raw.body === null ? Readable.from([]) : Readable.fromWeb(c.req.raw.body))
  // Admission has set it on every route that takes a body.
  return { caller: c.get('bucket')!, header: (name) => c.req.header(name), stream }
}
