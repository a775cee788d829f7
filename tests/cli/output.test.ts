import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { COMMANDS } from '../../src/cli/commands.ts'
import { readConfig } from '../../src/config.ts'
import { writeLetter } from '../../src/dead-letters/letter.ts'
import { openShelf } from '../../src/dead-letters/shelf.ts'
import { nowMicros } from '../../src/event/time.ts'
import { commitLimits } from '../../src/ingest/limits.ts'
import { openStore } from '../../src/store/sqlite.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { sampleEvents, toCsv } from '../support/sample.ts'
import { createTestStore } from '../support/store.ts'
import type { Run, TestStore } from '../support/store.ts'
import { eventOf } from '../support/wire.ts'
import { runHere } from './terminal.ts'

const PASSWORD = 'correct horse battery staple'
/** These read stdin, or change the process that they run in. */
const NEEDS_PROCESS = ['import', 'compact', 'users add', 'dead-letters replay']

/** Command lines that one store answers in this order, and the names in what each prints with --json. */
const ANSWERS: readonly (readonly [line: string, keys: readonly string[]])[] = [
  [
    'import events.csv',
    [
      'rows',
      'imported',
      'duplicates',
      'rejected',
      'days',
      'files',
      'bytes',
      'took_ms',
      'already_imported_at',
      'rejected_file',
    ],
  ],
  ['compact', ['days', 'rows', 'files', 'merged_files', 'collected_rows', 'removed_files', 'took_ms']],
  ['tiers', ['hot', 'cold']],
  ['ask dau --from 2025-08-01 --to 2025-08-02', ['from', 'to', 'data', 'meta']],
  ['verify', ['deep', 'files', 'events', 'damage', 'notes', 'took_ms']],
  ['keys create --scope ingest,read --name web', ['id', 'name', 'scope', 'key']],
  ['keys list', ['data']],
  ['keys revoke 1', ['id', 'revoked']],
  ['users add anna --scope read', ['name', 'scope']],
  ['users list', ['data']],
  ['users remove anna', ['name', 'removed']],
  ['dead-letters list', ['data', 'next_cursor']],
  [
    'dead-letters show 1',
    ['id', 'received_at', 'source', 'path', 'message', 'event_id', 'is_cut', 'events_omitted', 'event'],
  ],
  ['dead-letters replay 1', ['received', 'accepted', 'duplicates', 'rejected', 'errors']],
  ['dead-letters delete 2', ['id', 'deleted']],
]

describe('what commands print', { timeout: HANGS_AFTER_MS }, () => {
  let store: TestStore
  const printed = new Map<string, Record<string, unknown>>()
  before(async () => {
    store = createTestStore()
    const csv = join(store.dir, 'events.csv')
    writeFileSync(csv, toCsv(sampleEvents(1, 1_500, '2025-08-01', 2)))
    for (const [line, keys] of ANSWERS) {
      const answer = await run(line.replace('events.csv', csv), '--json')
      assert.equal(answer.code, 0, `${line}: ${answer.stderr}`)
      assert.equal(answer.stdout.split('\n').length, 2, line)
      const json = JSON.parse(answer.stdout) as Record<string, unknown>
      assert.deepEqual(Object.keys(json).toSorted(), keys.toSorted(), line)
      printed.set(nameOf(line), json)
      if (line.startsWith('import')) keepLetters()
    }
  })
  after(() => store.remove())

  function run(line: string, ...more: string[]): Promise<Run> {
    const words = [...line.split(' '), ...more]
    return NEEDS_PROCESS.includes(nameOf(line)) ? store.cli(words, {}, PASSWORD) : runHere(words, store.env)
  }

  /** Two events that were rejected once and are valid now. */
  function keepLetters(): void {
    const db = openStore(join(store.data_dir, 'frostline.db'))
    const letters = ['first', 'second'].map((user_id) =>
      writeLetter(eventOf({ user_id }), null, { path: 'user_id', message: 'user_id must be another' }),
    )
    openShelf(db, commitLimits(readConfig(store.env)).letters).put(letters, 'http', nowMicros())
    db.close()
  }

  it('is one line of JSON with --json, for each command that prints data', () => {
    const with_json = COMMANDS.filter(({ options }) => 'json' in options).map(({ name }) => name)
    assert.deepEqual([...printed.keys()].toSorted(), with_json.toSorted())
    const without = COMMANDS.filter(({ name }) => !with_json.includes(name)).map(({ name }) => name)
    assert.deepEqual(without, ['serve', 'demo'])
  })

  it('is {"data":[…]} for a list, and one object for anything else', () => {
    for (const [name, json] of printed) {
      assert.equal(Array.isArray(json['data']), name === 'ask' || name.endsWith(' list'), name)
    }
    const { key, ...created } = printed.get('keys create')!
    assert.deepEqual(created, { id: 1, name: 'web', scope: 'ingest read' })
    assert.match(String(key), /^\S{20,}$/)
    assert.deepEqual(printed.get('keys revoke'), { id: 1, revoked: true })
    assert.deepEqual(printed.get('users add'), { name: 'anna', scope: 'read' })
    assert.deepEqual(printed.get('users remove'), { name: 'anna', removed: true })
    assert.deepEqual(printed.get('dead-letters delete'), { id: 2, deleted: true })
  })

  it('is short and aligned for people, with data on stdout and remarks on stderr', async () => {
    const { stdout } = await run('tiers')
    assert.match(
      stdout,
      /^tier {2}events {2}days {2}files +size\nhot {8}1 +1 +- +-\ncold {3}1,500 +2 +2 +[\d.]+ KiB\n\n/,
    )
    assert.match(stdout, /\nday +events +files +size\n2025-08-01 +\d+ +1 +[\d.]+ KiB\n/)
    assert.match((await run('verify')).stdout, /^Checked 1,501 events and 2 cold files in .*: no damage\.\n$/)
    const { stdout: key, stderr } = await run('keys create --scope read --name web')
    assert.match(key, /^\S+\n$/)
    assert.match(stderr, /^store: .*\nKey 2 \(read\) is shown only this once/)
    assert.ok(!stderr.includes(key.trim()))
    assert.match(
      (await run('keys list')).stdout,
      /^id {2}name {2}scope .*\n1 {3}web {3}ingest read {2}.*\n2 {3}web {3}read /,
    )
    assert.match(
      (await run('dead-letters list')).stdout,
      /^id {2}received_at {2}source {2}event_id {2}message\n$/,
    )
  })

  it('comes with exit 1, the store and one line when a command fails, and creates no store', async () => {
    for (const line of ['keys revoke 1', 'users remove anna', 'dead-letters show 1']) {
      const { code, stdout, stderr } = await run(line)
      assert.deepEqual([code, stdout, stderr.trimEnd().split('\n').length], [1, '', 2], line)
      assert.ok(stderr.startsWith(`store: ${store.data_dir}\n`), stderr)
    }
    const DATA_DIR = join(store.dir, 'misspelt')
    for (const line of ['tiers', 'keys create --scope read --name x', 'users add anna --scope read']) {
      const run_there = await runHere(line.split(' '), { ...store.env, DATA_DIR })
      assert.deepEqual([run_there.code, run_there.stdout], [1, ''], line)
      assert.match(run_there.stderr, /^There is no store in .*misspelt\./)
      assert.ok(!existsSync(DATA_DIR), line)
    }
  })

  it('is the same from a process: help, wrong usage and a failure', async () => {
    const help = await store.cli(['keys', '--help'])
    assert.deepEqual(help, await runHere(['keys', '--help'], {}))
    assert.deepEqual(await store.cli(['tier']), await runHere(['tier'], {}))
    const { code, stdout, stderr } = await store.cli(['compact'], { DATA_DIR: join(store.dir, 'misspelt') })
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(stderr, /^There is no store/)
  })
})

/** The command that a line begins with. */
function nameOf(line: string): string {
  return COMMANDS.find(({ name }) => line === name || line.startsWith(`${name} `))!.name
}
