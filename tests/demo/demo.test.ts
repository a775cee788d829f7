import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { grouped } from '../../src/cli/people.ts'
import { generateDay } from '../../src/demo/generate.ts'
import type { DemoEvent } from '../../src/demo/generate.ts'
import { DEMO_DAYS, makeDemoData } from '../../src/demo/run.ts'
import { createEventSchema, judgeEvent } from '../../src/event/event.ts'
import { dayOf, formatDay, MICROS_PER_DAY, nowMicros, parseDay, parseInstant } from '../../src/event/time.ts'
import { runHere } from '../cli/terminal.ts'
import { programOf } from '../support/build.ts'
import { howMany } from '../support/counts.ts'
import { get } from '../support/store.ts'

/** Of the demo that runs. */
const DAYS = howMany('demo_days')
const TODAY = parseDay('2026-03-02')!

describe('demo data', () => {
  const data = makeDemoData(TODAY)
  const all = [...data.history, ...data.newest]

  it('ends yesterday, has 30 days and about 100,000 events', () => {
    assert.equal(formatDay(data.last), '2026-03-01')
    assert.equal(new Set(all.map(dateOf)).size, 30)
    assert.ok(all.length > 90_000 && all.length < 115_000, `${all.length} events`)
  })

  it('makes the same events again, and tomorrow the same for the days that both have', () => {
    const tomorrow = makeDemoData(TODAY + 1, 4)
    assert.deepEqual(makeDemoData(TODAY, 3).newest, data.newest)
    assert.deepEqual(
      [...tomorrow.history, ...tomorrow.newest].filter((event) => dateOf(event) <= formatDay(data.last)),
      all.filter((event) => dateOf(event) >= formatDay(tomorrow.first)),
    )
  })

  it('makes other events of another seed', () => {
    const ids = new Set(generateDay('frostline', TODAY).map((event) => event.event_id))
    assert.ok(generateDay('other', TODAY).every((event) => !ids.has(event.event_id)))
  })

  it('makes only valid events, each on its day, by time, with an id of its own', () => {
    const schema = createEventSchema(nowMicros)
    for (const event of data.newest) assert.ok('event' in judgeEvent(schema, event), JSON.stringify(event))
    assert.equal(new Set(all.map((event) => event.event_id)).size, all.length)
    const times = all.map((event) => parseInstant(event.occurred_at)!)
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    )
    assert.equal(dayOf(times[0]!), data.first)
    assert.equal(dayOf(times.at(-1)!), data.last)
  })

  it('has people who join, return and leave, some of whom do most', () => {
    const first_seen = activeOn(all, formatDay(data.first))
    const last_seen = activeOn(all, formatDay(data.last))
    const returned = [...first_seen].filter((user) => last_seen.has(user)).length
    assert.ok(returned > 0 && returned < first_seen.size / 2, `${returned} of ${first_seen.size}`)
    const counts = new Map<string, number>()
    for (const { user_id } of all) counts.set(user_id, (counts.get(user_id) ?? 0) + 1)
    const sorted = [...counts.values()].toSorted((a, b) => b - a)
    const busiest = sorted.slice(0, Math.ceil(sorted.length / 10)).reduce((a, b) => a + b)
    assert.ok(busiest > all.length * 0.3, `the busiest tenth does ${busiest} of ${all.length}`)
  })

  it('has fewer people at the weekend', () => {
    const sunday = activeOn(all, '2026-02-22').size
    const wednesday = activeOn(all, '2026-02-25').size
    assert.ok(sunday < wednesday * 0.85, `${sunday} on Sunday, ${wednesday} on Wednesday`)
  })
})

describe('npm run demo', () => {
  let folder: string
  /** Where the demo puts its store. */
  let store: { DATA_DIR: string }
  let demo: Demo
  /** The second run, after somebody created a key. */
  let again: Awaited<ReturnType<typeof runDemo>>
  let data: ReturnType<typeof makeDemoData>
  let events: DemoEvent[]
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'frostline-demo-'))
    store = { DATA_DIR: join(folder, 'data/demo') }
    demo = await startDemo(folder)
    const last = new RegExp(`Sample data: ${DAYS} days, \\S+ to (\\S+)`).exec(demo.stdout())?.[1]
    data = makeDemoData(parseDay(last!)! + 1, DAYS)
    events = [...data.history, ...data.newest]
  })
  after(async () => {
    await demo.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  it('imports the history, posts the rest and leaves nothing out', async () => {
    assert.match(demo.stdout(), new RegExp(`Added ${grouped(events.length)} events; 0 already stored\\.`))
    const csv = readFileSync(join(folder, 'data/sample/events.csv'), 'utf8')
    assert.equal(csv.split('\n').length - 2, data.history.length)
    const { json } = await get<{ hot: { events: number }; cold: { events: number } }>(`${demo.url}/tiers`)
    assert.equal(json.hot.events + json.cold.events, events.length)
    assert.ok(json.cold.events >= data.history.length)
    assert.ok(existsSync(join(folder, 'data/demo/frostline.db')))
    assert.ok(!existsSync(join(folder, 'data/store')))
  })

  it('answers DAU as the generator counts it', async () => {
    const range = `from=${formatDay(data.first)}&to=${formatDay(data.last)}`
    const { json } = await get<{ data: { date: string; dau: number }[] }>(`${demo.url}/stats/dau?${range}`)
    assert.deepEqual(json.data, dauOf(events, data.first, data.last))
    const some = await get<typeof json>(`${demo.url}/stats/dau?${range}&properties.country=PL,UA`)
    const there = events.filter(({ properties }) => ['PL', 'UA'].includes(String(properties['country'])))
    assert.deepEqual(some.json.data, dauOf(there, data.first, data.last))
    for (const { date, dau } of json.data.slice(-7)) assert.ok(demo.shows(date, dau), date)
  })

  it('answers top events as the generator counts them', async () => {
    const range = `from=${formatDay(data.first)}&to=${formatDay(data.last)}`
    const { json } = await get<{ data: object[] }>(`${demo.url}/stats/top-events?${range}`)
    const counts = new Map<string, number>()
    for (const { event_type } of events) counts.set(event_type, (counts.get(event_type) ?? 0) + 1)
    const expected = [...counts]
      .map(([event_type, count]) => ({ event_type, count }))
      .toSorted((a, b) => b.count - a.count)
    assert.deepEqual(json.data, expected)
    for (const { event_type, count } of expected.slice(0, 5)) assert.ok(demo.shows(event_type, count))
  })

  it('answers retention as the generator counts it', async () => {
    const start = data.last - 7
    const { json } = await get<{ cohort_size: number; data: { users: number; rate: number }[] }>(
      `${demo.url}/stats/retention?start_date=${formatDay(start)}&windows=7&window=day`,
    )
    const cohort = activeOn(events, formatDay(start))
    assert.equal(json.cohort_size, cohort.size)
    const back = [1, 2, 3, 4, 5, 6, 7].map(
      (window) => [...activeOn(events, formatDay(start + window))].filter((user) => cohort.has(user)).length,
    )
    assert.deepEqual(
      json.data.map(({ users, rate }) => [users, rate]),
      back.map((users) => [users, Math.round((users / cohort.size) * 10_000) / 10_000]),
    )
    assert.ok(demo.stdout().includes(`Retention of the ${cohort.size} users of ${formatDay(start)}`))
    for (const [i, users] of back.entries()) {
      assert.ok(demo.shows(i === 0 ? 'after 1 day' : `after ${i + 1} days`, users))
    }
  })

  it('prints commands that work on its store', () => {
    const [line] = /^ {2}DATA_DIR=data\/demo .* tiers$/m.exec(demo.stdout())!
    const { status, stdout } = spawnSync('sh', ['-c', `${line} --json`], { cwd: folder, encoding: 'utf8' })
    assert.equal(status, 0)
    const { hot, cold } = JSON.parse(stdout) as Record<'hot' | 'cold', { events: number }>
    assert.equal(hot.events + cold.events, events.length)
    const creating = line.replace(/ tiers$/, ' keys create --scope admin --name me')
    assert.ok(demo.stdout().includes(`\n${creating}\n`))
  })

  it('prints lines that a shell runs', (t) => {
    if (spawnSync('curl', ['--version']).status !== 0) return t.skip('no curl here')
    const lines = [...demo.stdout().matchAll(/^ {2}(curl .*)$/gm)].map(([, line]) => line!)
    assert.equal(lines.length, 8)
    for (const line of lines) {
      const { status, stdout } = spawnSync('sh', ['-c', `${line} --fail --noproxy '*'`], { encoding: 'utf8' })
      assert.equal(status, 0, line)
      assert.equal(typeof JSON.parse(stdout), 'object')
    }
  })

  it('says in one line that the port is taken, and brings nothing in', async () => {
    const blocker = createServer().listen(0, '127.0.0.1')
    await once(blocker, 'listening')
    const { port } = blocker.address() as AddressInfo
    const elsewhere = join(folder, 'elsewhere')
    const run = await runHere(['demo'], { PORT: String(port), DATA_DIR: elsewhere })
    blocker.close()
    assert.equal(run.code, 1)
    const [named, told, ...more] = run.stderr.trimEnd().split('\n')
    assert.equal(named, `store: ${elsewhere}`)
    assert.match(told!, new RegExp(`^Cannot listen on 127\\.0\\.0\\.1 port ${port}: the port is in use; `))
    assert.deepEqual(more, [])
    assert.equal(run.stdout, '')
  })

  it('ends in good order on Ctrl-C, and adds nothing when it runs again', async (t) => {
    assert.equal(await demo.stop(), 0)
    const made = await runHere(['keys', 'create', '--scope', 'read', '--name', 'me'], store)
    assert.equal(made.code, 0, made.stderr)
    again = await runDemo(folder)
    assert.equal(again.code, 0, again.stderr)
    if (!again.stdout.includes(` to ${formatDay(data.last)}\n`))
      return t.skip('midnight came between the runs')
    assert.match(again.stdout, new RegExp(`Added 0 events; ${grouped(events.length)} already stored\\.`))
    for (const { date, dau } of dauOf(events, data.last - 6, data.last)) {
      assert.match(again.stdout, new RegExp(`${date} +${dau}\n`))
    }
  })

  it('lets itself into a store that has keys, and leaves none of its own', async () => {
    assert.match(again.stdout, /curl -s -H "authorization: Bearer \$KEY" '.*\/tiers'/)
    const { stdout } = await runHere(['keys', 'list', '--json'], store)
    const { data: keys } = JSON.parse(stdout) as { data: { name: string; revoked_at: string | null }[] }
    assert.deepEqual(
      keys.map(({ name, revoked_at }) => [name, revoked_at === null]),
      [
        ['me', true],
        ['demo', false],
      ],
    )
  })
})

function dateOf({ occurred_at }: DemoEvent): string {
  return occurred_at.slice(0, 10)
}

function activeOn(events: readonly DemoEvent[], date: string): Set<string> {
  return new Set(events.filter((event) => dateOf(event) === date).map((event) => event.user_id))
}

function dauOf(events: readonly DemoEvent[], from: number, to: number): { date: string; dau: number }[] {
  return Array.from({ length: to - from + 1 }, (_, i) => {
    const date = new Date((from + i) * (MICROS_PER_DAY / 1_000)).toISOString().slice(0, 10)
    return { date, dau: activeOn(events, date).size }
  })
}

interface Demo {
  url: string
  stdout(): string
  /** Whether it printed this name and this number on one line. */
  shows(name: string, value: number): boolean
  stop(): Promise<number | null>
}

/** In a folder of its own, with nothing set but the port: so DATA_DIR is what a stranger gets. */
function spawnDemo(cwd: string, args: string[] = []): ChildProcess {
  const { DATA_DIR: _, LOG_LEVEL: __, ...inherited } = process.env
  // The default is left to the command.
  const days = DAYS === DEMO_DAYS ? [] : ['--days', String(DAYS)]
  return spawn(process.execPath, [...programOf('src/cli/main.ts'), 'demo', ...days, ...args], {
    cwd,
    env: { ...inherited, PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

function collect(child: ChildProcess) {
  const text = { stdout: '', stderr: '' }
  child.stdout!.on('data', (data: Buffer) => {
    text.stdout += data.toString()
  })
  child.stderr!.on('data', (data: Buffer) => {
    text.stderr += data.toString()
  })
  return text
}

async function runDemo(cwd: string) {
  const child = spawnDemo(cwd, ['--exit'])
  const text = collect(child)
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...text }
}

async function startDemo(cwd: string): Promise<Demo> {
  const child = spawnDemo(cwd)
  const text = collect(child)
  const exited = once(child, 'exit') as Promise<[number | null]>
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout!.on('data', () => {
      const serving = /Serving (\S+) until Ctrl-C/.exec(text.stdout)
      if (serving !== null) resolve(serving[1]!)
    })
    child.once('exit', (code) => reject(new Error(`the demo ended with ${code}: ${text.stderr}`)))
  })
  return {
    url,
    stdout: () => text.stdout,
    shows: (name, value) =>
      text.stdout
        .split('\n')
        .some((line) => line.startsWith(`  ${name} `) && line.split(/ +/).includes(String(value))),
    async stop() {
      child.kill('SIGINT')
      return (await exited)[0]
    },
  }
}
