import assert from 'node:assert/strict'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { LETTERS_LISTED_MAX } from '../../src/dead-letters/desk.ts'
import { LETTER_BYTES_MAX } from '../../src/dead-letters/letter.ts'
import { howMany } from '../support/counts.ts'
import { createInProcessStore, serveStore } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import { createTestStore, finish, get, post } from '../support/store.ts'
import type { Run } from '../support/store.ts'
import { eventOf } from '../support/wire.ts'
import { runHere } from './terminal.ts'

const LETTER_ROUNDS = howMany('letter_race_rounds')

interface Page {
  data: { id: number; event_id: string | null; path: string; message: string }[]
  next_cursor: string | null
}

const bad = (fields: Record<string, unknown> = {}) => eventOf({ event_type: '', ...fields })

const jsonOf = <T = Record<string, unknown>>(run: Run): T => {
  assert.equal(run.code, 0, run.stderr)
  return JSON.parse(run.stdout) as T
}

/** It failed, said why on stderr, and printed nothing that a script could take for an answer. */
function assertRefused({ code, stdout, stderr }: Run, expected: number, reason: RegExp): void {
  assert.deepEqual([code, stdout], [expected, ''], stderr)
  assert.match(stderr, reason)
  assert.doesNotMatch(stderr, /\bat .*:\d+:\d+/, 'a stack is nothing for the person at the terminal')
}

/** Letters, newest first. */
const listed = async (service: InProcessStore) =>
  (await get<Page>(`${service.url}/dead-letters?limit=${LETTERS_LISTED_MAX}`)).json

/** Posts an event that is rejected. @returns its letter's id */
async function reject(service: InProcessStore, event: Record<string, unknown>): Promise<string> {
  assert.equal((await post(`${service.url}/events`, [event])).json['rejected'], 1)
  return String((await listed(service)).data[0]!.id)
}

/** How often an event can be read back. */
async function storedTimes(service: InProcessStore, { user_id }: Record<string, unknown>): Promise<number> {
  const { json } = await get<{ data: unknown[] }>(
    `${service.url}/events?from=2025-08-01&to=2025-08-01&user_id=${String(user_id)}`,
  )
  return json.data.length
}

describe('frostline dead-letters beside a running service', () => {
  const service = serveStore()
  const store = createTestStore(service.data_dir)
  after(() => store.remove())

  /** A replay reads stdin, and has a process of its own. */
  const letters = (args: readonly string[], input?: string) =>
    args[0] === 'replay'
      ? store.cli(['dead-letters', ...args], {}, input)
      : runHere(['dead-letters', ...args], store.env)

  it('lists and shows what the service does', async () => {
    const wrong = bad({ properties: { note: 'red \u001b[31m or \u009b31m', direction: '\u202e' } })
    await post(`${service.url}/events`, [bad(), eventOf({ occurred_at: 'yesterday' }), wrong])
    const all = await listed(service)
    assert.deepEqual(jsonOf<Page>(await letters(['list', '--json'])), all)
    const first = jsonOf<Page>(await letters(['list', '--limit', '2', '--json']))
    assert.deepEqual(first.data, all.data.slice(0, 2))
    const named = `store: ${store.data_dir}\n`
    const rest = await letters(['list', '--limit', '2', '--cursor', first.next_cursor!])
    assert.equal(rest.stderr, named)
    assert.match(rest.stdout, /^id +received_at +source +event_id +message\n.*\n$/)
    assert.match(
      rest.stdout,
      new RegExp(`\n${all.data[2]!.id} .*${all.data[2]!.event_id} +event_type must be`),
    )
    const of_time = await letters(['list', '--reason', 'occurred_at', '--limit', '1'])
    assert.match(of_time.stdout, new RegExp(`\n${all.data[1]!.id} `))
    assert.equal(of_time.stderr, named)
    const one = await letters(['list', '--limit', '1'])
    assert.equal(one.stderr, `${named}There are more: --cursor ${all.data[0]!.id}\n`)

    const { id } = all.data[0]!
    const { json } = await get(`${service.url}/dead-letters/${id}`)
    const shown = [await letters(['show', String(id), '--json']), await letters(['show', String(id)])]
    assert.deepEqual(jsonOf(shown[0]!), json)
    assert.deepEqual(JSON.parse(shown[1]!.stdout.slice(shown[1]!.stdout.indexOf('{'))), wrong)
    assert.match(shown[1]!.stdout, new RegExp(`^id +${id}\n`))
    for (const { stdout } of shown)
      for (const character of ['\u001b', '\u009b', '\u202e']) assert.ok(!stdout.includes(character))
  })

  it('stores a corrected event from stdin or a file once, at once to be read back', async () => {
    for (const from of ['stdin', 'file'] as const) {
      const event = bad({ user_id: `from-${from}` })
      const id = await reject(service, event)
      assertRefused(await letters(['replay', id, '--json']), 1, /nothing was stored\.\nevent_type must be/)
      const corrected = JSON.stringify({ ...event, event_type: 'purchase' })
      const path = join(store.dir, 'corrected.json')
      if (from === 'file') writeFileSync(path, corrected)
      const run = await letters(
        ['replay', id, '--event', from === 'file' ? path : '-', '--json'],
        from === 'file' ? undefined : corrected,
      )
      assert.deepEqual(jsonOf(run), { received: 1, accepted: 1, duplicates: 0, rejected: 0, errors: [] })
      assert.equal(await storedTimes(service, event), 1)
      assertRefused(await letters(['replay', id]), 1, /There is no such dead letter/)
      assert.equal((await get(`${service.url}/dead-letters/${id}`)).status, 404)
      assert.equal((await post(`${service.url}/events`, corrected)).json['duplicates'], 1)
    }
  })

  it('deletes a letter, and neither deletes, shows nor replays one that is gone', async () => {
    const id = await reject(service, bad())
    assert.deepEqual(jsonOf(await letters(['delete', id, '--json'])), { id: Number(id), deleted: true })
    assert.equal((await get(`${service.url}/dead-letters/${id}`)).status, 404)
    for (const verb of ['delete', 'show', 'replay'])
      assertRefused(await letters([verb, id]), 1, /There is no such dead letter/)
  })

  it('refuses what is no event to be stored, keeps the letter, and repeats nothing of it', async () => {
    const id = await reject(service, bad())
    const file = join(store.dir, 'missing.json')
    const event = JSON.stringify(eventOf())
    for (const [args, input, reason] of [
      [['--event', file], undefined, /missing\.json cannot be read: ENOENT/],
      [['--event', store.dir], undefined, /cannot be read: EISDIR/],
      [['--event', '-'], '{"user_id": "secret"', /could not be read as JSON/],
      [['--event', '-'], '', /could not be read as JSON/],
      [['--event', '-'], `[${event},${event}]`, /Send exactly one event/],
      [['--event', '-'], '{"user_id": "secret"}', /event_id is missing/],
    ] as const) {
      const run = await letters(['replay', id, ...args], input)
      assertRefused(run, 1, reason)
      assert.doesNotMatch(run.stderr, /secret/)
    }
    assert.equal((await get(`${service.url}/dead-letters/${id}`)).status, 200)
  })

  it('reads no more of an endless file than a body may have', async () => {
    const id = await reject(service, bad())
    const run = await store.cli(['dead-letters', 'replay', id, '--event', '/dev/zero'], {
      BODY_BYTES_MAX: '4096',
    })
    assertRefused(run, 1, /at most 4096 bytes/)
  })

  it('asks for the whole event where only its beginning was kept', async () => {
    const id = await reject(service, bad({ note: 'x'.repeat(LETTER_BYTES_MAX) }))
    assertRefused(await letters(['replay', id]), 1, /Only the beginning of this event was kept/)
    assert.match((await letters(['show', id])).stderr, /Only the beginning/)
    const run = await letters(['replay', id, '--event', '-'], JSON.stringify(eventOf()))
    assert.deepEqual([run.code, run.stdout], [0, `Dead letter ${id} is stored.\n`])
  })

  it('is wrong usage with anything else', async () => {
    for (const args of [
      ['list', '--limit', '0'],
      ['list', '--limit', String(LETTERS_LISTED_MAX + 1)],
      ['list', '--limit', '1', '--limit', '2'],
      ['list', '--cursor', 'x'],
      ['list', '--reason'],
      ['list', '--wrong'],
      ['show'],
      ['show', 'x'],
      ['delete', '-1'],
      ['replay', '1e3'],
      ['replay', '1', '--event'],
      ['bury', '1'],
    ])
      assertRefused(await runHere(['dead-letters', ...args], store.env), 2, /./)
    assert.equal((await letters(['list', '--limit', String(LETTERS_LISTED_MAX)])).code, 0)
  })

  it(`stores an event once when the same letter is replayed over HTTP at the same moment, in each of ${LETTER_ROUNDS} rounds`, async (t) => {
    const won = { cli: 0, http: 0 }
    for (let round = 0; round < LETTER_ROUNDS; round += 1) {
      const event = bad({ user_id: `round-${round}` })
      const corrected = JSON.stringify({ ...event, event_type: 'purchase' })
      const id = await reject(service, event)
      const child = store.start(['dead-letters', 'replay', id, '--event', '-', '--json'], {}, 'open')
      const ended = finish(child)
      // More than a pipe holds: once it is written, the command has its writer, has seen the letter and waits for the event.
      await new Promise((resolve) => {
        child.stdin!.write(' '.repeat(4 * 1024 * 1024), resolve)
      })
      const overHttp = () => post(`${service.url}/dead-letters/${id}/replay`, corrected)
      const early = round % 2 === 0 ? overHttp() : null
      child.stdin!.end(corrected)
      const [reply, run] = await Promise.all([early ?? overHttp(), ended])
      const winner = reply.status === 200 ? 'http' : 'cli'
      if (winner === 'http') {
        assertRefused(run, 1, /replayed or deleted in the meantime/)
        assert.equal(reply.json['accepted'], 1)
      } else {
        assert.deepEqual([reply.status, jsonOf(run)['accepted']], [404, 1])
      }
      won[winner] += 1
      assert.equal(await storedTimes(service, event), 1, `round ${round}`)
    }
    t.diagnostic(`the command was first in ${won.cli} rounds, the service in ${won.http}`)
  })
})

describe('frostline dead-letters without a service', () => {
  const store = createTestStore()
  const service = createInProcessStore()
  after(() => Promise.all([service.remove(), store.remove()]))

  it('lists, shows, deletes and replays, and knows what is cold, also when the index of cold ids is gone', async () => {
    assertRefused(await store.cli(['dead-letters', 'list', '--json']), 1, /There is no store/)
    await service.start({ DATA_DIR: store.data_dir })
    const empty = await store.cli(['dead-letters', 'list', '--json'])
    assert.deepEqual(jsonOf(empty), { data: [], next_cursor: null })
    const event = eventOf({ user_id: 'cold' })
    await post(`${service.url}/events`, [event])
    const ids = []
    for (const user_id of ['new', 'deleted', 'known', 'known too'])
      ids.push(await reject(service, bad({ user_id })))
    await service.stop()
    assert.equal((await store.cli(['compact'])).code, 0)

    const letters = (args: readonly string[], input?: string) =>
      store.cli(['dead-letters', ...args], {}, input)
    assert.equal(jsonOf<Page>(await letters(['list', '--json'])).data.length, 4)
    assert.equal((await letters(['delete', ids[1]!])).code, 0)
    const corrected = eventOf({ user_id: 'new' })
    const stored = await letters(['replay', ids[0]!, '--event', '-'], JSON.stringify(corrected))
    assert.equal(stored.stdout, `Dead letter ${ids[0]} is stored.\n`, stored.stderr)
    const known = await letters(['replay', ids[2]!, '--event', '-'], JSON.stringify(event))
    assert.equal(
      known.stdout,
      `Dead letter ${ids[2]} is deleted; its event was stored before.\n`,
      known.stderr,
    )
    const index = join(store.data_dir, 'ids')
    for (const name of readdirSync(index)) rmSync(join(index, name))
    const again = await letters(['replay', ids[3]!, '--event', '-', '--json'], JSON.stringify(event))
    assert.match(again.stderr, /rebuilding the index of cold ids/)
    assert.deepEqual([jsonOf(again)['accepted'], jsonOf(again)['duplicates']], [0, 1])
    assert.deepEqual(jsonOf<Page>(await letters(['list', '--json'])).data, [])

    await service.start({ DATA_DIR: store.data_dir })
    assert.equal(await storedTimes(service, event), 1)
    assert.equal(await storedTimes(service, corrected), 1)
    await service.stop()
    assert.equal((await store.cli(['verify', '--deep'])).code, 0)
  })
})
