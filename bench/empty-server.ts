import { mkdtempSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { createEdge } from '../src/http/edge.ts'

/**
 * The service's HTTP server without the service: it reads each body and responds with an empty 200. With
 * the argument `sync` it first writes the bodies to a file, overwriting earlier ones; concurrent requests
 * share one fdatasync. Runs until the parent disconnects.
 */

const folder = process.argv[2] === 'sync' ? mkdtempSync(join(tmpdir(), 'frostline-empty-')) : null
const keep = folder === null ? null : await createKeeper(join(folder, 'bodies'))

async function createKeeper(path: string): Promise<(body: Uint8Array) => Promise<void>> {
  const file = await open(path, 'w')
  let waiting: { body: Uint8Array; resolve: () => void; reject: (error: unknown) => void }[] = []
  let is_writing = false
  async function work(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting
      waiting = []
      try {
        await file.write(Buffer.concat(group.map(({ body }) => body)), 0, null, 0)
        await file.datasync()
        for (const { resolve } of group) resolve()
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    is_writing = false
  }
  return (body) =>
    new Promise((resolve, reject) => {
      waiting.push({ body, resolve, reject })
      if (is_writing) return
      is_writing = true
      setImmediate(() => void work())
    })
}

const app = new Hono()
app.post('/events', async (c) => {
  const body = await c.req.arrayBuffer()
  await keep?.(new Uint8Array(body))
  return c.body(null, 200, { 'content-length': '0' })
})
const limits = { headers_timeout_ms: 10_000, request_timeout_ms: 60_000, headers_bytes_max: 16_384 }
const server = createEdge(limits, getRequestListener(app.fetch))
server.listen(0, '127.0.0.1', () => {
  process.send!(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.once('disconnect', () => {
  if (folder !== null) rmSync(folder, { recursive: true })
  process.exit()
})
