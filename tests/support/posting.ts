import { serveStore } from './in-process.ts'
import { sharedStore } from './shared-store.ts'
import { get } from './store.ts'

/** For tests of `POST /events` over a real service. */

export const JSON_TYPE = { 'content-type': 'application/json' }
/** Never stands in a reply or in the log, wherever the client puts it. */
export const MARKER = 'Zebra-7f3a91'

export interface Posting {
  readonly events_url: string
  send(body: Exclude<RequestInit['body'], undefined>, headers?: Record<string, string>): Promise<Response>
  /** Distinct users of a day. */
  usersOn(day: string, filter?: string): Promise<number>
  /** Events of a type. */
  countOf(event_type: string): Promise<number>
}

/** One service for all tests of the surrounding `describe`; the shared one unless it has settings of its own. */
export function servePosting(env?: Record<string, string>): Posting {
  const home = env === undefined ? sharedStore() : serveStore(env)
  return {
    get events_url() {
      return `${home.url}/events`
    },
    send: (body, headers = JSON_TYPE) => fetch(`${home.url}/events`, { method: 'POST', headers, body }),
    async usersOn(day, filter = '') {
      const { json } = await get<{ data: { dau: number }[] }>(
        `${home.url}/stats/dau?from=${day}&to=${day}${filter}`,
      )
      return json.data[0]!.dau
    },
    async countOf(event_type) {
      const filter = encodeURIComponent(`event_type:${event_type}`)
      const { json } = await get<{ data: { count: number }[] }>(
        `${home.url}/stats/top-events?from=2025-01-01&to=2025-12-31&segment=${filter}`,
      )
      return json.data[0]?.count ?? 0
    },
  }
}
