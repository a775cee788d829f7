import assert from 'node:assert/strict'
import { request } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { get } from './store.ts'

/** What black-box tests of the HTTP edge share: events made by hand, requests that fetch cannot make, and the service's log. */

/** One valid event as a client writes it; a field given as undefined is left out. */
export function eventOf(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    event_id: crypto.randomUUID(),
    occurred_at: '2025-08-01T12:00:00Z',
    user_id: 'u1',
    event_type: 'app_open',
    ...fields,
  }
}

/** Segments that hold for every event with `k: 'v'`, none of them the same as another: long properties make them slow. */
export function slowSegments(count: number): string {
  return Array.from({ length: count }, (_, i) => {
    const values = Array.from({ length: 99 }, (__, value) => `${value}${i}`)
    return `&segment=properties.k:v,${values.join(',')}`
  }).join('')
}

/** Events for which such segments hold, with properties that take long to search. */
export function slowEvents(count: number): Record<string, unknown>[] {
  const pad = Array.from({ length: 300 }, (_, i) => i)
  return Array.from({ length: count }, (_, i) => eventOf({ user_id: i, properties: { pad, k: 'v' } }))
}

export interface Reply {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
}

/** Begins a request over a socket of its own; the body is the caller's to write. */
export function begin(
  url: string,
  method: string,
  headers: Record<string, string> = {},
): { request: ClientRequest; reply: Promise<Reply> } {
  const outgoing = request(url, { method, headers, agent: false })
  return { request: outgoing, reply: readReply(outgoing) }
}

/** A whole GET over a socket of its own. fetch would share sockets, and keeps its own time limits. */
export function getReply(url: string): Promise<Reply> {
  const { request: outgoing, reply } = begin(url, 'GET')
  outgoing.end()
  return reply
}

function readReply(outgoing: ClientRequest): Promise<Reply> {
  return new Promise((resolve, reject) => {
    outgoing.once('error', reject)
    outgoing.once('response', (incoming: IncomingMessage) => {
      let text = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (part: string) => {
        text += part
      })
      incoming.once('error', reject)
      incoming.once('end', () => resolve({ status: incoming.statusCode!, headers: incoming.headers, text }))
    })
  })
}

/** A request that has surely reached the service: it was sent, and the service has answered another that was sent later. */
export async function arrive(service: { url: string }, path: string, headers: Record<string, string> = {}) {
  const begun = begin(service.url + path, 'GET', headers)
  // A test that lets the client leave does not wait for the reply.
  begun.reply.catch(() => {})
  await new Promise<void>((resolve) => {
    begun.request.end(resolve)
  })
  await get(`${service.url}/livez`)
  return begun
}

/** A request to store events of which only a part of the body has reached the service. */
export async function arriveInPart(
  service: { url: string },
  body: string,
  headers: Record<string, string> = {},
) {
  const begun = begin(`${service.url}/events`, 'POST', { 'content-type': 'application/json', ...headers })
  begun.reply.catch(() => {})
  const half = Math.floor(body.length / 2)
  await new Promise<void>((resolve) => {
    begun.request.write(body.slice(0, half), () => resolve())
  })
  await get(`${service.url}/livez`)
  return { ...begun, finish: () => begun.request.end(body.slice(half)) }
}

export interface Answered {
  status: number
  headers: Headers
  json: Record<string, unknown>
}

/** A POST of bytes, and its reply. */
export async function sendBytes(
  url: string,
  headers: Record<string, string>,
  body: string | Uint8Array<ArrayBuffer>,
): Promise<Answered> {
  const response = await fetch(url, { method: 'POST', headers, body })
  const json = (await response.json()) as Record<string, unknown>
  return { status: response.status, headers: response.headers, json }
}

export function assertProblem(reply: Answered, status: number, code: string): void {
  assert.equal(reply.status, status, JSON.stringify(reply.json))
  assert.equal(reply.json['type'], `/problems/${code}`)
}
