import { after, before } from 'node:test'
import { createInProcessStore } from './in-process.ts'
import type { InProcessStore } from './in-process.ts'

let shared: { home: InProcessStore; started?: Promise<void> } | undefined

/**
 * The one service, as it comes, for all tests of the process that ask for it: in whatever file they are, each has ids, days and names of
 * its own.
 */
export function sharedStore(): InProcessStore {
  const own = (shared ??= { home: createInProcessStore() })
  before(() => (own.started ??= own.home.start()))
  return own.home
}
after(() => shared?.home.remove())
