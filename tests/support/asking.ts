import assert from 'node:assert/strict'
import { before, describe } from 'node:test'
import { serveStore } from './in-process.ts'
import { get, post } from './store.ts'
import { eventOf } from './wire.ts'

/** For tests of the questions over a real service. */

export interface Meta {
  hot_events: number
  cold_events: number
  cold_files: number
  took_ms: number
}

export interface Dau {
  from: string
  to: string
  data: { date: string; dau: number }[]
  meta: Meta
}

export interface TopEvents {
  data: { event_type: string; count: number }[]
  meta: Meta
}

type Parameters = Record<string, string | string[]>

export interface Asking {
  readonly url: string
  /** Stores events that are all new. */
  put(events: readonly unknown[]): Promise<void>
  ask<T>(route: string, parameters: Parameters): Promise<T>
  /** Moves all events of the past to cold. */
  compact(): Promise<void>
}

export const at = (user_id: string | number, occurred_at: string, fields: Record<string, unknown> = {}) =>
  eventOf({ user_id, occurred_at, ...fields })

const query = (parameters: Parameters) =>
  Object.entries(parameters)
    .flatMap(([name, values]) => [values].flat().map((value) => [name, value]))
    .map((pair) => pair.map((part) => encodeURIComponent(part!)).join('='))
    .join('&')

/** One service for all tests of the surrounding `describe`. */
export function serveQuestions(): Asking {
  const home = serveStore()
  return {
    get url() {
      return home.url
    },
    async put(events) {
      const { status, json } = await post(`${home.url}/events`, events)
      assert.equal(status, 200)
      assert.equal(json['accepted'], events.length)
    },
    async ask<T>(route: string, parameters: Parameters) {
      const { status, json } = await get<T>(`${home.url}${route}?${query(parameters)}`)
      assert.equal(status, 200, JSON.stringify(json))
      return json
    },
    async compact() {
      await home.compact()
    },
  }
}

/** The same tests over hot events, and again when the same events are cold. */
export function overBothTiers({ compact }: Asking, test: (tier: 'hot' | 'cold') => void): void {
  for (const tier of ['hot', 'cold'] as const) {
    describe(`over ${tier} events`, () => {
      if (tier === 'cold') before(compact)
      test(tier)
    })
  }
}
