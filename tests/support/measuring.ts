import { after, before } from 'node:test'
import { scrape } from './exposition.ts'
import type { Scrape } from './exposition.ts'
import { createInProcessStore } from './in-process.ts'
import { begin, eventOf, sendBytes } from './wire.ts'

/** For tests of `GET /metrics` over a real service. */

export const DAY = 'from=2025-08-01&to=2025-08-01'

export const REQUESTS = 'frostline_http_requests_total'

/** What the services of these tests find free on their disk. */
export const FREE_BYTES = 123_456_789_012

/** More requests at once than the default limit is for. */
const UNLIMITED = { RATE_LIMIT_RPS: 'off' }

export const bad = () => eventOf({ user_id: '' })

/** How much a series has grown between two looks. */
export function grown(from: Scrape, to: Scrape, name: string, labels: Record<string, string> = {}): number {
  return (to.value(name, labels) ?? 0) - (from.value(name, labels) ?? 0)
}

/** One store and its service for all tests of the surrounding `describe`; its clock stands until it is moved. */
export function serveMetrics() {
  const clock = { ms: 1_000_000 }
  const home = createInProcessStore()
  const start = () => home.start(UNLIMITED, { now_ms: () => clock.ms, readFreeBytes: async () => FREE_BYTES })
  before(start)
  after(() => home.remove())
  return {
    home,
    clock,
    /** Starts the service again after a stop. */
    start,
    look: () => scrape(home.url),
    send: (events: unknown, query = '', headers: Record<string, string> = {}) =>
      sendBytes(
        `${home.url}/events${query}`,
        { 'content-type': 'application/json', ...headers },
        JSON.stringify(events),
      ),
    /** Status of a request of any method to any path. */
    async ask(method: string, path: string): Promise<number> {
      const { request, reply } = begin(home.url, method)
      request.path = path
      request.end()
      return (await reply).status
    },
  }
}
