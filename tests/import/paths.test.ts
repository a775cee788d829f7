import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { openLayout } from '../../src/store/layout.ts'
import { howMany } from '../support/counts.ts'
import { HEADER } from '../support/importing.ts'
import { createInProcessStore } from '../support/in-process.ts'
import { idFor } from '../support/sample.ts'
import { countOf, createTestStore, get, post } from '../support/store.ts'
import type { Run, TestStore } from '../support/store.ts'
import { readStored } from '../support/visible.ts'

/** Names that a pattern, a column or a shell would take for something else. The first nine have all characters that the others have. */
const NAMES = [
  'data[1].csv',
  'data*.csv',
  'data?.csv',
  '[a-z].csv',
  '**',
  'back\\slash.csv',
  'both\\and[1].csv',
  ' event_id=x user_id=evil "double" it\'s {a,b} %20 ünï\ncode .csv',
  '-dash.csv',
  "quote's.csv",
  'double"s.csv',
  'line\nbreak.csv',
  'user_id=evil.csv',
  'event_id=x',
  '{a,b}.csv',
  '~home.csv',
  '%20.csv',
  ' blank .csv',
  'ünïcode.csv',
  'plain.csv.gz.csv',
]

/** The first two have, together, all that the others have; no folder may have both a backslash and brackets. */
const FOLDERS = [
  'user_id=evil/day=2020-01-01/a[1]*? it\'s "quoted"\n{x,y} z',
  'back\\slash',
  'user_id=evil',
  'day=2020-01-01',
  'a[1]*?',
  'it\'s "quoted"\n',
  '{x,y} z',
]

const rowOf = (id: string, user: string) => `${idFor(id)},2025-08-21T10:00:00Z,${user},open,{}`

describe('a path', { timeout: 600_000 }, () => {
  let store: TestStore
  before(() => {
    store = createTestStore()
  })
  after(() => store.remove())

  const importFiles = async (paths: readonly string[]) => {
    const run: Run = await store.cli(['import', '--json', '--', ...paths])
    assert.equal(run.code, 0, run.stderr)
    return JSON.parse(run.stdout) as { data: { file: string; rows: number; imported: number }[] }
  }

  it('names one file, whatever characters it has, and none of its neighbours', async () => {
    const folder = join(store.dir, 'files')
    mkdirSync(folder)
    writeFileSync(join(folder, 'data1.csv'), `${HEADER}\n${rowOf('neighbour', 'wrong')}\n`)
    writeFileSync(join(folder, 'a.csv'), `${HEADER}\n${rowOf('neighbour', 'wrong')}\n`)
    const paths = NAMES.slice(0, howMany('odd_files')).map((name) => join(folder, name))
    for (const path of paths) writeFileSync(path, `${HEADER}\n${rowOf(path, 'right')}\n`)
    const { data } = await importFiles(paths)
    assert.deepEqual(
      data.map(({ file, rows, imported }) => [file, rows, imported]),
      paths.map((path) => [path, 1, 1]),
    )
  })

  it('never becomes a column: folders called like one change nothing', async () => {
    const folder = join(store.dir, 'user_id=evil', 'event_id=1', 'occurred_at=never', 'day=2020-01-01')
    mkdirSync(folder, { recursive: true })
    const paths = ['c1', 'c2'].map((name) => join(folder, `${name}.csv`))
    for (const path of paths) writeFileSync(path, `${HEADER}\n${rowOf(path, 'right')}\n`)
    const { data } = await importFiles(paths)
    assert.deepEqual(
      data.map(({ imported }) => imported),
      [1, 1],
    )
    const stored = await readStored(openLayout(store.data_dir))
    assert.deepEqual([...new Set(stored.map(({ user_id }) => user_id))], ['right'])
  })
})

describe('a store below any path', { timeout: 600_000 }, () => {
  let store: TestStore
  before(() => {
    store = createTestStore()
  })
  const service = createInProcessStore()
  after(() => Promise.all([service.remove(), store.remove()]))

  for (const name of FOLDERS.slice(0, howMany('odd_folders'))) {
    it(`answers, compacts, merges, imports and verifies below ${JSON.stringify(name)}`, async () => {
      const env = { DATA_DIR: join(store.dir, name, 'store'), HOT_DAYS: '0' }
      await service.start(env)
      // Five files of a day, so that they are merged.
      for (let n = 0; n < 5; n += 1) {
        await post(`${service.url}/events`, [
          {
            event_id: idFor(`${name}${n}`),
            occurred_at: '2025-08-21T10:00:00Z',
            user_id: `u${n}`,
            event_type: 'open',
          },
        ])
        assert.equal((await store.cli(['compact'], env)).code, 0)
      }
      const csv = join(store.dir, 'more.csv')
      writeFileSync(csv, `${HEADER}\n${rowOf(`${name}0`, 'copy')}\n${rowOf(`${name}more`, 'u5')}\n`)
      assert.equal((await store.cli(['import', csv], env)).code, 0)
      assert.equal(await countOf(service.url, 'from=2025-08-01&to=2025-08-31'), 6)
      const { json } = await get<{ data: { user_id: string }[] }>(
        `${service.url}/events?from=2025-08-21&to=2025-08-21`,
      )
      assert.deepEqual(json.data.map(({ user_id }) => user_id).toSorted(), [
        'u0',
        'u1',
        'u2',
        'u3',
        'u4',
        'u5',
      ])
      assert.equal((await store.cli(['verify', '--deep'], env)).code, 0)
      await service.stop()
    })
  }

  it('is refused only where DuckDB has no name for it', async () => {
    const run = await store.cli(['serve'], { DATA_DIR: join(store.dir, 'back\\slash[1]') })
    assert.equal(run.code, 2)
    assert.match(run.stderr, /both a backslash and one of/)
  })
})
