import type { DauAnswer } from '../questions/dau.ts'
import type { RetentionAnswer } from '../questions/retention.ts'
import type { TopEventsAnswer } from '../questions/top-events.ts'
import type { Meta } from '../query/question.ts'
import type { Tiers } from '../store/tiers.ts'
import type { DemoEvent } from './generate.ts'

/** The HTTP client of the demo: everything that the demo shows comes from the API. */
export interface DemoClient {
  /** Waits until the service is ready. */
  untilReady(): Promise<void>
  /** Posts all events in batches. Returns how many were new, and how many were already stored. */
  post(events: readonly DemoEvent[]): Promise<{ accepted: number; duplicates: number }>
  dau(from: string, to: string): Promise<DauAnswer & { meta: Meta }>
  topEvents(from: string, to: string): Promise<TopEventsAnswer & { meta: Meta }>
  retention(start_date: string, windows: number): Promise<RetentionAnswer & { meta: Meta }>
  tiers(): Promise<Tiers>
}

const BATCH_EVENTS = 1_000
/** A store of a few million events is ready within seconds. */
const READY_TIMEOUT_MS = 60_000
const POLL_INTERVAL_MS = 50

/** @param key null if the service needs none */
export function createDemoClient(url: string, key: string | null): DemoClient {
  const credential: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` }

  async function get<T>(path: string): Promise<T> {
    return read<T>(await fetch(url + path, { headers: credential }))
  }

  return {
    async untilReady() {
      const until = performance.now() + READY_TIMEOUT_MS
      for (;;) {
        const response = await fetch(`${url}/readyz`)
        if (response.ok || performance.now() > until) {
          await read(response)
          return
        }
        await response.arrayBuffer()
        await new Promise((resolve) => {
          setTimeout(resolve, POLL_INTERVAL_MS)
        })
      }
    },
    async post(events) {
      const sum = { accepted: 0, duplicates: 0 }
      for (let at = 0; at < events.length; at += BATCH_EVENTS) {
        const response = await fetch(`${url}/events?strict=true`, {
          method: 'POST',
          headers: { ...credential, 'content-type': 'application/json' },
          body: JSON.stringify(events.slice(at, at + BATCH_EVENTS)),
        })
        const reply = await read<typeof sum>(response)
        sum.accepted += reply.accepted
        sum.duplicates += reply.duplicates
      }
      return sum
    },
    dau: (from, to) => get(`/stats/dau?from=${from}&to=${to}`),
    topEvents: (from, to) => get(`/stats/top-events?from=${from}&to=${to}&limit=5`),
    retention: (start_date, windows) =>
      get(`/stats/retention?start_date=${start_date}&windows=${windows}&window=day`),
    tiers: () => get('/tiers'),
  }
}

async function read<T>(response: Response): Promise<T> {
  const json = (await response.json()) as T & { title?: string; detail?: string }
  if (response.ok) return json
  throw new Error(`${response.url} answered ${response.status}: ${json.title}; ${json.detail}`)
}
