import { setTimeout } from 'node:timers/promises'
import type { Connection } from './client.ts'

/** What a client does once its requests are ready. */
export interface Arrivals {
  connections: readonly Connection[]
  /** When the first one arrives, on this process's clock. */
  started: number
  /** From one arrival to the next, whether or not earlier ones were answered. Null: one arrives as soon as a connection is free. */
  interval_ms: number | null
  /** Null: there is no other. */
  requestAt(n: number, arrival: number): Buffer | null
  onReply(reply: Answered): void
}

export interface Answered {
  n: number
  arrival: number
  /** From the arrival: the wait for a free connection included. */
  took_ms: number
  body: string
}

/**
 * Resolves when the last reply has come.
 * @throws {Error} when a request is not answered with 200
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
