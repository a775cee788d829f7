import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { FileSet } from '../../src/store/catalog.ts'
import { numberUsers } from '../../src/sets/numbers.ts'
import { TYPES_PER_FILE_MAX } from '../../src/sets/make.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { createInProcessStore } from '../support/in-process.ts'
import { sampleEvents } from '../support/sample.ts'
import { get, postAll } from '../support/store.ts'
import { damageOf } from '../support/verifying.ts'
import { eventOf } from '../support/wire.ts'

const RANGE = 'from=2025-08-01&to=2025-08-03'
/** Each can be answered from sets. */
const QUESTIONS = [
  `dau?${RANGE}`,
  `dau?${RANGE}&where=event_type in (app_open, purchase)`,
  `top-events?${RANGE}`,
  `active-users?${RANGE}&mau_days=2`,
  `stickiness?${RANGE}`,
  `lifecycle?${RANGE}&interval=week`,
  `trend?${RANGE}&measure=users&interval=month&compare=previous`,
  `trend?${RANGE}&measure=events_per_user`,
  'retention?start_date=2025-08-01&windows=2&cohorts=2',
]

interface Answer {
  meta: { answered_from: string }
}

describe('the sets of closed days', { timeout: HANGS_AFTER_MS }, () => {
  const home = createInProcessStore()
  before(() => home.start())
  after(() => home.remove())

  const sets = () =>
    home.inSqlite((db) => db.prepare('SELECT * FROM file_sets ORDER BY path, event_type').all() as FileSet[])

  /** Both ways of answering give the same. @returns which one was chosen */
  async function assertSame(): Promise<Set<string>> {
    const chosen = new Set<string>()
    for (const question of QUESTIONS) {
      const url = `${home.url}/stats/${question}`
      const { meta, ...answer } = (await get<Answer>(url)).json
      const same = question.includes('where=') ? `${url} and user_id exists` : `${url}&where=user_id exists`
      const { meta: read, ...expected } = (await get<Answer>(same)).json
      assert.equal(read.answered_from, 'events', question)
      assert.deepEqual(answer, expected, question)
      chosen.add(meta.answered_from)
    }
    return chosen
  }

  it('give the answers that reading gives: hot, sealed, with late events, in several files and merged', async () => {
    await postAll(home.url, sampleEvents(1, 300, '2025-08-01', 3))
    assert.deepEqual(await assertSame(), new Set(['sets']))
    assert.deepEqual(sets(), [], 'hot rows have none')
    await home.compact()
    assert.deepEqual(await assertSame(), new Set(['sets']))
    for (let late = 2; late < 7; late += 1) {
      // Old users and new ones, which have no number yet.
      const [first] = sampleEvents(1, 300, '2025-08-01', 3)
      await postAll(home.url, [
        ...sampleEvents(late, 20, '2025-08-01', 3),
        eventOf({ user_id: first!.user_id, occurred_at: '2025-08-02T12:00:00Z' }) as never,
        eventOf({ user_id: `late-${late}`, occurred_at: '2025-08-02T12:00:00Z' }) as never,
      ])
      if (late === 2) assert.deepEqual(await assertSame(), new Set(['sets']), 'cold and hot')
      await home.compact()
    }
    assert.deepEqual(await assertSame(), new Set(['sets']), 'of several files')
    assert.ok(home.listed().length < 3 * 6, 'files were merged')
    assert.deepEqual([...new Set(sets().map(({ path }) => path))], home.listed())
    assert.deepEqual(await damageOf(home.layout, true), [])
  })

  it('are made anew where they are missing, each byte as before, and until then events are read', async () => {
    const made = sets()
    home.inSqlite((db) => db.exec('DELETE FROM file_sets'))
    await home.stop()
    await home.start()
    assert.deepEqual(await assertSame(), new Set(['events']))
    await home.compact()
    assert.deepEqual(sets(), made)
    await home.stop()
    await home.start()
    assert.deepEqual(await assertSame(), new Set(['sets']))
  })

  it('number a user once, in the order of their first day, and never another by the same number', () => {
    home.inSqlite((db) => {
      const all = db.prepare('SELECT user_id, uid FROM user_numbers').all() as {
        user_id: string
        uid: number
      }[]
      assert.equal(new Set(all.map(({ uid }) => uid)).size, all.length)
      const last = Math.max(...all.map(({ uid }) => uid))
      const [first, second] = numberUsers(db, ['a new one', all[0]!.user_id])
      assert.deepEqual([first, second], [last + 1, all[0]!.uid])
      db.exec(`DELETE FROM user_numbers WHERE user_id = 'a new one'`)
      assert.deepEqual([...numberUsers(db, ['another', 'a new one'])], [last + 2, last + 3])
    })
  })

  it('are checked by a deep check: users, counts, and the numbers of users', async () => {
    const faults = [
      `UPDATE file_sets SET events = events + 1 WHERE event_type = 'purchase'`,
      `UPDATE file_sets SET uids = zeroblob(length(uids)) WHERE event_type = ''`,
      `DELETE FROM file_sets WHERE event_type = 'purchase'`,
      `UPDATE user_numbers SET uid = uid + 100000 WHERE uid = 1`,
    ]
    for (const fault of faults) {
      const copy = createInProcessStore(home)
      copy.inSqlite((db) => db.exec(fault))
      const damage = await damageOf(copy.layout, true)
      assert.ok(damage.length > 0, fault)
      assert.match(damage[0]!, /has sets of users that are not those of its rows/)
      // What docs/operations.md tells to do.
      copy.inSqlite((db) => db.exec('DELETE FROM file_sets; DELETE FROM user_numbers;'))
      await copy.compact()
      assert.deepEqual(await damageOf(copy.layout, true), [], fault)
      await copy.remove()
    }
  })

  it('are not kept by type where a file has too many types', async () => {
    const many = Array.from({ length: TYPES_PER_FILE_MAX + 1 }, (_, i) =>
      eventOf({ event_type: `type-${i}`, occurred_at: '2025-08-03T12:00:00Z' }),
    )
    await postAll(home.url, many as never)
    await home.compact()
    assert.deepEqual(await assertSame(), new Set(['events']))
    assert.deepEqual(await damageOf(home.layout, true), [])
  })
})
