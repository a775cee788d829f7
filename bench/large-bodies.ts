import { makeEvents } from './events.ts'
import { serveApart } from './process.ts'

/** A client that posts bodies of the maximum size, one after the other. */

export interface LargeBodiesOrder {
  url: string
  body_bytes: number
  bodies: number
}

export interface LargeBodiesReport {
  took_s: number
  events: number
}

/** Per body; they nearly fill it. */
const EVENTS = 90_000

serveApart<LargeBodiesOrder, LargeBodiesReport>(async ({ url, body_bytes, bodies }, note) => {
  const { events } = makeEvents(EVENTS * bodies)
  const made = Array.from({ length: bodies }, (_, n) => {
    const body = Buffer.from(JSON.stringify(events.slice(n * EVENTS, (n + 1) * EVENTS)))
    if (body.length > body_bytes) throw new Error(`${EVENTS} events are ${body.length} bytes`)
    // Pads with whitespace, which the service has to parse too.
    return Buffer.concat([body, Buffer.alloc(body_bytes - body.length, ' ')])
  })
  note('started')
  const started = performance.now()
  let accepted = 0
  for (const body of made) {
    const response = await fetch(`${url}/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    const reply = (await response.json()) as { accepted: number }
    if (response.status !== 200) throw new Error(`a body was answered with ${response.status}`)
    accepted += reply.accepted
  }
  return { took_s: (performance.now() - started) / 1_000, events: accepted }
})
