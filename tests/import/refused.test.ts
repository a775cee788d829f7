import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { after, before, describe, it } from 'node:test'
import { HEADER } from '../support/importing.ts'
import { createTestStore } from '../support/store.ts'
import type { TestStore } from '../support/store.ts'

describe('a file that cannot be imported', () => {
  let store: TestStore
  before(() => {
    store = createTestStore()
  })
  after(() => store.remove())

  const refuses = (name: string, text: string | Buffer | null, message: RegExp) => {
    it(`is refused with one clear line: ${name}`, async () => {
      const path = join(store.dir, `${name}.csv`)
      if (text !== null) writeFileSync(path, text)
      const run = await store.cli(['import', path])
      assert.equal(run.code, 1)
      assert.match(run.stderr, message)
      const lines = run.stderr.trimEnd().split('\n')
      assert.equal(lines.filter((line) => !line.startsWith('store: ')).length, 1, run.stderr)
      assert.equal(run.stdout, '')
    })
  }
  refuses('missing', null, /does not exist/)
  refuses('empty', '', /is empty/)
  refuses('blank', '\n\n', /is empty/)
  refuses('binary', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2, 3]), /has one column, and lacks/)
  refuses('lacking', 'event_id,occurred_at,user_id\n', /lacks the columns event_type, properties_json/)
  refuses('other', `${HEADER},surprise\n`, /has 1 columns that are unknown/)
  refuses('twice', `${HEADER},user_id\n`, /has 1 columns that stand twice/)
  refuses('workbook', Buffer.from('PK\u0003\u0004 and so on'), /is a ZIP archive or an Excel workbook/)
  refuses('cut', gzipSync(HEADER).subarray(0, 30), /is damaged: it cannot be decompressed/)
  refuses('wide', Buffer.from(`${HEADER}\n`, 'utf16le'), /is UTF-16 without a byte order mark/)

  it('is a usage error when no file, or an unknown option, is given', async () => {
    assert.equal((await store.cli(['import'])).code, 2)
    assert.equal((await store.cli(['import', 'x.csv', '--wrong'])).code, 2)
    assert.equal((await store.cli(['import', 'x.csv', '--wait', 'soon'])).code, 2)
  })
})
