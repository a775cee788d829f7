import { integerBelow, pickWeighted, randomOf } from './random.ts'
import type { Random, Weighted } from './random.ts'

/** Generates one visit to the sample shop, from opening the app to leaving it. */

export interface Visitor {
  country: string
  platform: string
  plan: string
}

export interface SessionEvent {
  /** Microseconds since the start of the day; a late session can run past its end. */
  at_us: number
  event_type: string
  properties: Record<string, string | number>
}

type Step =
  | 'sign_up'
  | 'app_open'
  | 'search'
  | 'view_item'
  | 'add_to_cart'
  | 'checkout'
  | 'purchase'
  | 'share'
  | 'logout'

/** The steps that can follow each step, with their weights. */
const NEXT: Record<Step, Weighted<Step | 'leave'>> = {
  sign_up: [
    ['view_item', 60],
    ['search', 30],
    ['leave', 10],
  ],
  app_open: [
    ['view_item', 52],
    ['search', 33],
    ['leave', 15],
  ],
  search: [
    ['view_item', 72],
    ['search', 12],
    ['leave', 16],
  ],
  view_item: [
    ['view_item', 41],
    ['add_to_cart', 15],
    ['search', 11],
    ['share', 3],
    ['logout', 4],
    ['leave', 26],
  ],
  add_to_cart: [
    ['view_item', 34],
    ['checkout', 44],
    ['leave', 22],
  ],
  checkout: [
    ['purchase', 71],
    ['leave', 29],
  ],
  purchase: [
    ['leave', 72],
    ['view_item', 18],
    ['logout', 10],
  ],
  share: [
    ['view_item', 60],
    ['leave', 40],
  ],
  logout: [['leave', 1]],
}

/** Bounds a random walk that could otherwise go on for ever. */
const SESSION_EVENTS_MAX = 60

const ITEMS = 240
const CATEGORIES = ['books', 'garden', 'home', 'music', 'outdoor', 'toys'] as const
const QUERIES = ['tent', 'lamp', 'teapot', 'vinyl', 'puzzle', 'novel', 'blanket', 'seeds', 'guitar'] as const

interface Item {
  item_id: string
  category: string
  price: number
}

/** @param is_new whether the visitor signs up in this session */
export function walkSession(
  random: Random,
  visitor: Visitor,
  is_new: boolean,
  start_us: number,
): SessionEvent[] {
  const session_id = Math.floor(random() * 0x1_0000_0000)
    .toString(16)
    .padStart(8, '0')
  const shared = {
    country: visitor.country,
    platform: visitor.platform,
    plan: visitor.plan,
    session_id,
  }
  const events: SessionEvent[] = []
  const cart: Item[] = []
  let item = pickItem(random)
  let at_us = start_us
  let step: Step | 'leave' = 'app_open'
  while (step !== 'leave' && events.length < SESSION_EVENTS_MAX) {
    if (step === 'view_item') item = pickItem(random)
    if (step === 'add_to_cart') cart.push(item)
    events.push({ at_us, event_type: step, properties: { ...shared, ...detail(step, random, item, cart) } })
    if (step === 'purchase') cart.length = 0
    at_us += secondsToMicros(2 + 100 * random() * random())
    step = is_new && step === 'app_open' ? 'sign_up' : pickWeighted(random, NEXT[step])
  }
  return events
}

function detail(step: Step, random: Random, item: Item, cart: readonly Item[]) {
  switch (step) {
    case 'view_item':
    case 'share':
      return { ...item }
    case 'add_to_cart':
      return { ...item, cart_size: cart.length }
    case 'search':
      return { query: QUERIES[integerBelow(random, QUERIES.length)]!, results: integerBelow(random, 40) }
    case 'checkout':
    case 'purchase':
      return { items: cart.length, price: total(cart), currency: 'EUR' }
    default:
      return {}
  }
}

/** Favours low item numbers, so that few items get most views. */
function pickItem(random: Random): Item {
  const number = Math.floor(random() * random() * ITEMS)
  const traits = randomOf(`item/${number}`)
  return {
    item_id: `SKU${String(number + 1).padStart(4, '0')}`,
    category: CATEGORIES[integerBelow(traits, CATEGORIES.length)]!,
    price: (199 + integerBelow(traits, 12_000)) / 100,
  }
}

/** Summed in cents, because sums of decimal fractions are not exact. */
function total(cart: readonly Item[]): number {
  return cart.reduce((cents, { price }) => cents + Math.round(price * 100), 0) / 100
}

function secondsToMicros(seconds: number): number {
  return Math.floor(seconds * 1_000_000)
}
