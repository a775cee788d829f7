import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { createEdge } from '../src/edge.ts'

/** The service's HTTP server with nothing behind it: reads each body and answers an empty 200. Runs until the other side disconnects. */

const app = new Hono()
app.post('/events', async (c) => {
  await c.req.arrayBuffer()
  return c.body(null, 200, { 'content-length': '0' })
})
const limits = { headers_timeout_ms: 10_000, request_timeout_ms: 60_000, headers_bytes_max: 16_384 }
const server = createEdge(limits, getRequestListener(app.fetch))
server.listen(0, '127.0.0.1', () => {
  process.send!(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.once('disconnect', () => process.exit())
