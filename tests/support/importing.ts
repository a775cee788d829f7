import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'node:test'
import type { ImportReport } from '../../src/import/job.ts'
import { idFor } from './sample.ts'
import { createTestStore } from './store.ts'
import type { TestStore } from './store.ts'

/** For tests of `frostline import`. */

export const HEADER = 'event_id,occurred_at,user_id,event_type,properties_json'
/** A row that is valid. */
export const GOOD = (id: string) => `${idFor(id)},2025-08-21T06:52:34+03:00,u1,open,"{""a"":1}"`

export function counts({ rows, imported, duplicates, rejected }: ImportReport) {
  return { rows, imported, duplicates, rejected }
}

/** A store for each test of the surrounding `describe`, and a file to import. */
export function prepareImport() {
  let store: TestStore
  let csv: string
  beforeEach(() => {
    store = createTestStore()
    csv = join(store.dir, 'history.csv')
  })
  afterEach(() => store.remove())

  return {
    get store() {
      return store
    },
    /** Where the file lies. */
    get csv() {
      return csv
    },
    async importText(text: string | Buffer, args: readonly string[] = []): Promise<ImportReport> {
      writeFileSync(csv, text)
      const run = await store.cli(['import', csv, '--json', ...args])
      assert.equal(run.code, 0, run.stderr)
      return JSON.parse(run.stdout) as ImportReport
    },
    /** Lines of the file of rejected rows. */
    rejects: () => readFileSync(`${csv}.rejected.csv`, 'utf8').trimEnd().split('\n'),
  }
}
