import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { safeParse } from 'valibot'
import { ENV_SCHEMA } from '../../src/config.ts'
import { METRICS } from '../../src/metrics/catalog.ts'
import { PROBLEMS } from '../../src/problem/problem.ts'
import { programOf } from '../support/build.ts'
import { createTestStore, post } from '../support/store.ts'
import type { TestStore } from '../support/store.ts'
import { eventOf } from '../support/wire.ts'
import { ROOT } from '../support/root.ts'

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')

/** The text from one heading to the next of the same or a higher level. */
function section(heading: string): string {
  const start = readme.indexOf(`${heading}\n`)
  assert.notEqual(start, -1, `the README has no ${heading}`)
  const level = heading.split(' ')[0]!.length
  const end = readme.slice(start + heading.length).search(new RegExp(`^#{1,${level}} `, 'm'))
  return end === -1 ? readme.slice(start) : readme.slice(start, start + heading.length + end)
}

/** Cells of a table's rows whose first cell is code. */
function rows(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

const code = (cell: string) => cell.replaceAll('`', '')

/** The commands that a help page lists. */
function commandsIn(help: string): string[] {
  return [...help.split('For more info')[0]!.matchAll(/^ {2}([a-z-]+(?: [a-z]+)?(?: <[a-z]+>)?) {2,}/gm)].map(
    (m) => m[1]!,
  )
}

/** Runs lines of the README in a store. @returns what they printed */
function runShell(script: string, store: TestStore): string {
  const lines = script.replaceAll('npm run -s cli --', ['node', ...programOf('src/cli/main.ts')].join(' '))
  return execFileSync('bash', ['-eo', 'pipefail', '-c', lines], {
    cwd: ROOT,
    env: { ...process.env, ...store.env },
    stdio: ['ignore', 'pipe', 'ignore'],
  }).toString()
}

describe('the README', () => {
  it('lists every variable with its default, and no other', () => {
    const listed = rows(section('## Configuration')).map(([name, value]) => [code(name!), code(value!)])
    const actual = Object.entries(ENV_SCHEMA.entries).map(([name, schema]) => [name, String(schema.default)])
    assert.deepEqual(listed.toSorted(), actual.toSorted())
    assert.ok(safeParse(ENV_SCHEMA, Object.fromEntries(listed)).success)
  })

  it('lists every problem with its status, and no other', () => {
    const listed = rows(section('### Problems')).map(([name, status]) => [code(name!), Number(status)])
    assert.deepEqual(
      listed,
      Object.entries(PROBLEMS).map(([name, { status }]) => [name, status]),
    )
  })

  it('lists every metric with its type, its labels and its meaning, and no other', () => {
    const listed = rows(section('### Metrics')).map((cells) => cells.map(code))
    assert.deepEqual(
      listed,
      Object.entries(METRICS).map(([name, { type, labels, help }]) => [name, type, labels.join(', '), help]),
    )
  })

  it('lists every command with its options, and no other', async (t) => {
    const store = createTestStore()
    t.after(() => store.remove())
    const { stdout } = await store.cli(['--help'])
    const listed = rows(section('## Command line')).map(([name]) => code(name!).replace('frostline ', ''))
    const names = commandsIn(stdout)
    assert.deepEqual(listed.map((line) => line.split(' [')[0]).toSorted(), names.toSorted())
    for (const line of listed) {
      const help = (await store.cli([...line.split(/ [[<]/)[0]!.split(' '), '--help'])).stdout
      const options = [...help.matchAll(/^ {2}(--[a-z]+(?: <[a-z]+>)?)/gm)].map((m) => m[1]!)
      assert.deepEqual(
        [...line.matchAll(/\[(--[^\]]+)\]/g)].map((m) => m[1]!).toSorted(),
        options.toSorted(),
        line,
      )
    }
  })

  it('names only scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    for (const [, name] of readme.matchAll(/npm run (?:-s )?([a-z]+)/g))
      assert.ok(Object.hasOwn(scripts, name!), name)
  })

  it('shows curl lines that work', async (t) => {
    const store = createTestStore()
    t.after(() => store.remove())
    const service = await store.serve()
    const blocks = [...section('## Talk to it').matchAll(/```sh\n([\s\S]*?)```/g)].map((m) => m[1]!)
    const curls = blocks.filter((block) => block.includes('curl')).join('')
    const printed = runShell(
      curls.replaceAll('http://127.0.0.1:8080', service.url).replaceAll('curl -s', 'curl -sf -w "\\n"'),
      store,
    )
    const replies = printed.trim().split('\n')
    assert.equal(replies.length, 8)
    assert.equal((JSON.parse(replies[0]!) as { accepted: number }).accepted, 2)
    const answers = replies.slice(1).map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.deepEqual(
      (answers[0]!['data'] as { dau: number }[]).map((d) => d.dau),
      [1, 1, 0],
    )
    assert.deepEqual(answers[1]!['data'], [
      { event_type: 'app_open', count: 1 },
      { event_type: 'purchase', count: 1 },
    ])
    assert.equal(answers[2]!['cohort_size'], 1)
    assert.deepEqual(
      (answers[3]!['data'] as { event_type: string }[]).map(({ event_type }) => event_type),
      ['purchase', 'app_open'],
    )
    assert.equal(answers[4]!['rejected'], 1)
    assert.equal((answers[5]!['data'] as { id: number }[])[0]!.id, 1)
    assert.equal(answers[6]!['accepted'], 1)
    // The key that was made there is needed by now.
    assert.equal((await fetch(`${service.url}/tiers`)).status, 401)
  })

  it('shows dead letters on the command line that work', async (t) => {
    const store = createTestStore()
    t.after(() => store.remove())
    const service = await store.serve()
    const [block] = [...section('### Dead letters').matchAll(/```sh\n([\s\S]*?)```/g)].map((m) => m[1]!)
    await post(`${service.url}/events`, [{ ...eventOf(), occurred_at: 'yesterday' }])
    const printed = runShell(block!, store)
    assert.match(printed, /\n1 .* occurred_at must be/)
    assert.match(printed, /"occurred_at": "yesterday"[^]*\nDead letter 1 is stored\.\n$/)
  })

  it('shows keys and logins that work', async (t) => {
    const store = createTestStore()
    t.after(() => store.remove())
    const service = await store.serve()
    const blocks = [...section('## Keys and logins').matchAll(/```sh\n([\s\S]*?)```/g)].map((m) => m[1]!)
    assert.equal(blocks.length, 2)
    const printed = runShell(
      blocks.join('').replaceAll('http://127.0.0.1:8080', service.url).replaceAll('curl -s', 'curl -sf'),
      store,
    )
    assert.equal(printed.split('"hot"').length - 1, 3, printed)
    assert.match(printed, /\bweb +ingest read\b/)
  })
})
