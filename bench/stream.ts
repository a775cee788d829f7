import { formatDay } from '../src/event/time.ts'
import type { Day } from '../src/event/time.ts'
import { postArrivals } from './arrivals.ts'
import { openConnection, postRequest } from './client.ts'
import { makeEvents, renewEvents } from './events.ts'
import { serveApart } from './process.ts'
import { quantile } from './statistics.ts'

/**
 * A load client that runs until it is told to `stop`, and starts a new window of its report when it is
 * told `window`. Requests are built beforehand and reused with new random ids and, if `days` is set, a new
 * day.
 */

export interface StreamOrder {
  url: string
  batch: number
  connections: number
  /** Null: as soon as a connection is free. */
  events_per_s: number | null
  /**
   * The events start at day `first` and advance by one day every `each_s` seconds.
   * Null: the days are not changed.
   */
  days: { first: Day; each_s: number } | null
}

export interface StreamReport {
  accepted: number
  /** From the start to the last reply. */
  took_s: number
  windows: StreamWindow[]
}

export interface StreamWindow {
  /** Requests that arrived in this window. */
  requests: number
  p50_ms: number
  p99_ms: number
}

/** More than the connections, so that an answered request can be renewed before it is needed again. */
const REQUESTS_MADE = 64

serveApart<StreamOrder, StreamReport>(async ({ url, batch, connections, events_per_s, days }, note) => {
  const { events } = makeEvents(batch * REQUESTS_MADE)
  let started = performance.now()
  const dateNow = () =>
    days && formatDay(days.first + Math.floor((performance.now() - started) / 1_000 / days.each_s))
  const free = Array.from({ length: REQUESTS_MADE }, (_, n) => {
    const body = Buffer.from(JSON.stringify(events.slice(n * batch, (n + 1) * batch)))
    const request = postRequest(`${url}/events`, body)
    const places = {
      ids: placesOf(request, '"event_id":"'),
      dates: placesOf(request, '"occurred_at":"'),
    }
    renewEvents(request, places, dateNow())
    return { request, places }
  })
  const sent = new Map<number, (typeof free)[number]>()
  const opened = await Promise.all(Array.from({ length: connections }, () => openConnection(url)))

  started = performance.now()
  const windows = [{ from: started, took_ms: [] as number[] }]
  let until = Infinity
  process.on('message', (word) => {
    if (word === 'stop') until = performance.now()
    else windows.push({ from: performance.now(), took_ms: [] })
  })
  note('started')
  let accepted = 0
  await postArrivals({
    connections: opened,
    started,
    interval_ms: events_per_s === null ? null : (batch / events_per_s) * 1_000,
    requestAt(n, arrival) {
      if (arrival > until) return null
      const next = free.shift()!
      sent.set(n, next)
      return next.request
    },
    onReply({ n, arrival, took_ms, body }) {
      accepted += (JSON.parse(body) as { accepted: number }).accepted
      windows.findLast(({ from }) => from <= arrival)!.took_ms.push(took_ms)
      const back = sent.get(n)!
      sent.delete(n)
      renewEvents(back.request, back.places, dateNow())
      free.push(back)
    },
  })
  const took_s = (performance.now() - started) / 1_000
  const posted = batch * windows.reduce((n, { took_ms }) => n + took_ms.length, 0)
  if (accepted !== posted) throw new Error(`${accepted} of ${posted} events were accepted`)
  for (const connection of opened) connection.close()
  return {
    accepted,
    took_s,
    windows: windows.map(({ took_ms }) => ({
      requests: took_ms.length,
      p50_ms: quantile(took_ms, 0.5),
      p99_ms: quantile(took_ms, 0.99),
    })),
  }
})

/** Offsets of the values of a field. */
function placesOf(request: Buffer, field: string): number[] {
  const places: number[] = []
  for (let at = request.indexOf(field); at !== -1; at = request.indexOf(field, at + 1))
    places.push(at + field.length)
  return places
}
