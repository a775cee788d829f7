import { setTimeout } from 'node:timers/promises'
import type { Connection } from './client.ts'

/** An open or closed load: requests arrive at fixed times, or whenever a connection is free. */
export interface Arrivals {
  connections: readonly Connection[]
  /** Time of the first arrival, from `performance.now()`. */
  started: number
  /** Between arrivals, independent of replies. Null: a request arrives as soon as a connection is free. */
  interval_ms: number | null
  /** Returns null after the last request. */
  requestAt(n: number, arrival: number): Buffer | null
  onReply(reply: Answered): void
}

export interface Answered {
  n: number
  arrival: number
  /** Since the arrival, including the wait for a free connection. */
  took_ms: number
  body: string
}

/**
 * Sends all requests. Resolves after the last reply.
 * @throws {Error} if a request is not answered with 200
 */
export async function postArrivals(arrivals: Arrivals): Promise<void> {
  const { connections, started, interval_ms, requestAt, onReply } = arrivals
  let next = 0
  async function work(connection: Connection): Promise<void> {
    for (;;) {
      const n = next++
      const arrival = interval_ms === null ? performance.now() : started + n * interval_ms
      const early_ms = arrival - performance.now()
      if (early_ms > 0) await setTimeout(early_ms)
      const request = requestAt(n, arrival)
      if (request === null) return
      const { status, body } = await connection.send(request)
      const took_ms = performance.now() - arrival
      if (status !== 200) throw new Error(`a batch was answered with ${status}: ${body}`)
      onReply({ n, arrival, took_ms, body })
    }
  }
  await Promise.all(connections.map(work))
}
