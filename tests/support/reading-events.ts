import assert from 'node:assert/strict'
import { serveStore } from './in-process.ts'
import type { InProcessStore } from './in-process.ts'
import { post } from './store.ts'

/** For tests of `GET /events` over a real service. */

export interface ReadEvent {
  event_id: string
  occurred_at: string
  user_id: string
  event_type: string
  properties: Record<string, unknown>
}

export interface Page {
  data: ReadEvent[]
  next_cursor: string | null
  meta: { hot_events: number; cold_events: number; cold_files: number; took_ms: number }
}

export interface Problem {
  type: string
  status: number
  detail: string
  errors: { path: string; message: string }[]
}

/** A day as a question asks for it. */
export const on = (date: string) => `from=${date}&to=${date}`

export const DAY = on('2025-08-01')
export const AUGUST = 'from=2025-08-01&to=2025-08-31'

export interface Reading {
  readonly store: InProcessStore
  /** Stores events that are all new. */
  put(events: readonly unknown[]): Promise<void>
  page(query: string): Promise<Page>
  /** The problem of a question that is wrong. */
  refused(query: string): Promise<Problem>
  /** All pages from here on. */
  readAll(query: string): Promise<ReadEvent[]>
}

/** One store and its service for all tests of the surrounding `describe`, each of which has days of its own. */
export function serveReading(): Reading {
  const store = serveStore()

  async function put(events: readonly unknown[]): Promise<void> {
    const { status, json } = await post(`${store.url}/events`, events)
    assert.deepEqual([status, json['accepted']], [200, events.length])
  }

  async function page(query: string): Promise<Page> {
    const response = await fetch(`${store.url}/events?${query}`)
    const text = await response.text()
    assert.equal(response.status, 200, text)
    return JSON.parse(text) as Page
  }

  async function refused(query: string): Promise<Problem> {
    const response = await fetch(`${store.url}/events?${query}`)
    assert.equal(response.status, 400, query)
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    const problem = (await response.json()) as Problem
    assert.equal(problem.type, '/problems/invalid_parameter')
    return problem
  }

  async function readAll(query: string): Promise<ReadEvent[]> {
    const events: ReadEvent[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const { data, next_cursor }: Page = await page(
        cursor === '' ? query : `${query}&cursor=${encodeURIComponent(cursor)}`,
      )
      events.push(...data)
      assert.notEqual(next_cursor, cursor, 'a page brings the cursor further')
      cursor = next_cursor
    }
    return events
  }

  return {
    store,
    put,
    page,
    refused,
    readAll,
  }
}
