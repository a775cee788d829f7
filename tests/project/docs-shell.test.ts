import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { programOf } from '../support/build.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { ROOT } from '../support/root.ts'
import { createTestStore, get, post } from '../support/store.ts'
import type { TestStore } from '../support/store.ts'
import { eventOf } from '../support/wire.ts'
import { blocksOf, readPage } from './documents.ts'

/** The `sh` blocks of a page are run from top to bottom on a fresh store, beside a service. */

/** Blocks that are not run here, and why. */
const NOT_RUN: Readonly<Record<string, string>> = {
  'npm ci && npm run demo\n': 'installs packages and serves until it is stopped; tests/demo runs the demo',
  'npm start\n': 'serves until it is stopped; the test starts a service of its own',
  'npm ci && npm test\n': 'would run this test within itself',
  'docker compose exec api node dist/src/cli/main.js keys create --scope admin --name first\n':
    'needs Docker; docker.test.ts holds its files to the code',
}

const PORT = 'http://127.0.0.1:8080'

describe('shell blocks', { timeout: HANGS_AFTER_MS }, () => {
  it('are run, or have a reason', () => {
    const blocks = ['README.md', 'docs/operations.md'].flatMap((page) => blocksOf(readPage(page), 'sh'))
    for (const block of Object.keys(NOT_RUN)) assert.ok(blocks.includes(block), `no page has ${block}`)
  })

  it('of the README post, ask, compact and verify', async (t) => {
    const store = createTestStore()
    t.after(() => store.remove())
    const service = await store.serve()
    const replies = jsonIn(runBlocks('README.md', store, service.url))
    assert.equal(replies.length, 4)
    const [posted, dau, top, retention] = replies
    assert.equal(posted!['accepted'], 2)
    assert.deepEqual(
      (dau!['data'] as { dau: number }[]).map((d) => d.dau),
      [1, 1, 0],
    )
    assert.deepEqual(top!['data'], [
      { event_type: 'app_open', count: 1 },
      { event_type: 'purchase', count: 1 },
    ])
    assert.equal(retention!['cohort_size'], 1)
    // The key that was created there is needed by now, and the events have gone to cold.
    assert.equal((await fetch(`${service.url}/tiers`)).status, 401)
    const { stdout } = await store.cli(['tiers', '--json'])
    const { hot, cold } = JSON.parse(stdout) as Record<'hot' | 'cold', { events: number }>
    assert.deepEqual([hot.events, cold.events], [0, 2])
  })

  it('of the API page reject an event and replay it corrected', async (t) => {
    const store = createTestStore()
    t.after(() => store.remove())
    const service = await store.serve()
    const [posted, listed, replayed] = jsonIn(runBlocks('docs/api.md', store, service.url))
    assert.deepEqual([posted!['accepted'], posted!['rejected']], [1, 1])
    assert.equal((listed!['data'] as { id: number }[])[0]!.id, 1)
    assert.equal(replayed!['accepted'], 1)
  })

  it('of the operations page create keys and users, and replay a dead letter', async (t) => {
    const store = createTestStore()
    t.after(() => store.remove())
    const service = await store.serve()
    await post(`${service.url}/events`, [{ ...eventOf(), occurred_at: 'yesterday' }])
    const printed = runBlocks('docs/operations.md', store, service.url)
    const answers = jsonIn(printed)
    assert.equal(answers.filter((answer) => 'hot' in answer).length, 2, printed)
    assert.match(printed, /\bweb\b.*\bingest read\b/)
    assert.match(printed, /\b1\b.* occurred_at must be/)
    assert.match(printed, /"occurred_at": "yesterday"/)
    assert.equal((await get(`${service.url}/livez`)).status, 200)
    const { stdout } = await store.cli(['dead-letters', 'list', '--json'])
    assert.deepEqual((JSON.parse(stdout) as { data: unknown[] }).data, [])
  })
})

/** Runs the blocks of a page as one script; any command that fails ends it. @returns what it printed */
function runBlocks(page: string, store: TestStore, url: string): string {
  const script = blocksOf(readPage(page), 'sh')
    .filter((block) => !Object.hasOwn(NOT_RUN, block))
    .join('')
    .replaceAll('npm run -s cli --', [process.execPath, ...programOf('src/cli/main.ts')].join(' '))
    .replaceAll(PORT, url)
    .replaceAll('curl -s', 'curl -sf -w "\\n"')
  return execFileSync('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: ROOT,
    env: { ...process.env, ...store.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  }).toString()
}

/** The lines that are JSON objects. */
function jsonIn(printed: string): Record<string, unknown>[] {
  return printed
    .split('\n')
    .filter((line) => line.startsWith('{"'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}
