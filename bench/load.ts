import { Agent, request } from 'node:http'
import { isDeepStrictEqual } from 'node:util'
import { expectedDau, makeEvents } from './events.ts'
import { serveApart } from './process.ts'
import { quantile } from './statistics.ts'

/** The client: posts bodies made beforehand over kept-alive connections, then asks until everything is counted. */

export interface LoadOrder {
  url: string
  events: number
  batch: number
  connections: number
}

export interface LoadReport {
  last_reply_s: number
  countable_s: number
  /** Questions asked until one counted everything; 1 is the promise. */
  questions: number
  request_p50_ms: number
  request_p99_ms: number
  /** What the client itself took of the processor until the last reply. */
  cpu_s: number
}

function send(
  agent: Agent,
  url: string,
  method: string,
  body?: Buffer,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers =
      body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length }
    const outgoing = request(url, { agent, method, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
      })
      response.once('end', () => resolve({ status: response.statusCode!, text }))
      response.once('error', reject)
    })
    outgoing.once('error', reject)
    outgoing.end(body)
  })
}

serveApart<LoadOrder, LoadReport>(async ({ url, events, batch, connections }, note) => {
  const data = makeEvents(events)
  const expected = expectedDau(data)
  const bodies: Buffer[] = []
  for (let at = 0; at < events; at += batch) {
    bodies.push(Buffer.from(JSON.stringify(data.events.slice(at, at + batch))))
  }
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const latencies: number[] = []
  let next = 0
  let accepted = 0

  async function connection(): Promise<void> {
    for (let body = bodies[next++]; body !== undefined; body = bodies[next++]) {
      const sent = performance.now()
      const { status, text } = await send(agent, `${url}/events`, 'POST', body)
      latencies.push(performance.now() - sent)
      if (status !== 200) throw new Error(`a batch was answered with ${status}: ${text}`)
      accepted += (JSON.parse(text) as { accepted: number }).accepted
    }
  }

  note('started')
  const started = performance.now()
  const started_cpu = process.cpuUsage()
  await Promise.all(Array.from({ length: connections }, connection))
  const last_reply_s = (performance.now() - started) / 1_000
  const { user, system } = process.cpuUsage(started_cpu)
  note('replied')
  if (accepted !== events) throw new Error(`${accepted} of ${events} events were accepted`)

  for (let questions = 1; ; questions += 1) {
    const { status, text } = await send(agent, `${url}/stats/dau?from=${data.from}&to=${data.to}`, 'GET')
    const { data: dau, meta } = JSON.parse(text) as { data: unknown; meta: { hot_events: number } }
    if (status !== 200) throw new Error(`the question was answered with ${status}`)
    if (!isDeepStrictEqual(dau, expected) || meta.hot_events !== events) continue
    agent.destroy()
    return {
      last_reply_s,
      countable_s: (performance.now() - started) / 1_000,
      questions,
      request_p50_ms: quantile(latencies, 0.5),
      request_p99_ms: quantile(latencies, 0.99),
      cpu_s: (user + system) / 1_000_000,
    }
  }
})
