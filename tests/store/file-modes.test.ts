import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { createInProcessStore } from '../support/in-process.ts'
import { sampleEvents, toCsv } from '../support/sample.ts'
import { createTestStore, finish, post } from '../support/store.ts'
import type { TestStore } from '../support/store.ts'
import { eventOf } from '../support/wire.ts'

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)

describe('what lies in DATA_DIR', { timeout: HANGS_AFTER_MS }, () => {
  let store: TestStore
  let umask: number
  beforeEach(() => {
    store = createTestStore()
    // What the service starts with: nothing that it does not refuse by itself is refused.
    umask = process.umask(0)
  })
  afterEach(async () => {
    process.umask(umask)
    await store.remove()
  })

  /** In a process of its own, which inherits the umask. */
  const run = (...args: string[]) => finish(store.start(args))
  const fileOf = (name: string) => join(store.data_dir, name)

  it('is for its owner alone, hashes of passwords above all, in a folder that the service makes', async (t) => {
    const data_dir = join(store.dir, 'above', 'store')
    const service = createInProcessStore()
    t.after(() => service.remove())
    await service.start({ DATA_DIR: data_dir })
    assert.equal((await post(`${service.url}/events`, [eventOf()])).status, 200)
    assert.equal(modeOf(data_dir), '700')
    for (const name of ['frostline.db', 'frostline.db-wal', 'frostline.db-shm', 'auth.secret'])
      assert.equal(modeOf(join(data_dir, name)), '600', name)
    assert.equal(modeOf(dirname(data_dir)), '777', 'what stands above is not ours to close')
    await service.stop()
    assert.equal(modeOf(join(data_dir, 'frostline.db')), '600')
  })

  it('is for its owner alone, also when an import makes it', async () => {
    const csv = join(store.dir, 'one.csv')
    writeFileSync(csv, toCsv(sampleEvents(1, 1)))
    assert.equal((await run('import', csv)).code, 0)
    assert.deepEqual([modeOf(store.data_dir), modeOf(fileOf('frostline.db'))], ['700', '600'])
  })

  it('stays as open as its owner has made it', async () => {
    mkdirSync(store.data_dir, { mode: 0o755 })
    const csv = join(store.dir, 'one.csv')
    writeFileSync(csv, toCsv(sampleEvents(1, 1)))
    assert.equal((await run('import', csv)).code, 0)
    assert.deepEqual([modeOf(store.data_dir), modeOf(fileOf('frostline.db'))], ['755', '600'])
    chmodSync(fileOf('frostline.db'), 0o640)
    assert.equal((await run('compact')).code, 0)
    assert.deepEqual([modeOf(store.data_dir), modeOf(fileOf('frostline.db'))], ['755', '640'])
    // Any reader may read the Parquet of a folder that was opened to it.
    assert.equal(modeOf(fileOf('cold')), '777')
  })
})
