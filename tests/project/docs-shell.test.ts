import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { programOf } from '../support/build.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { ROOT } from '../support/root.ts'
import { untilReady } from '../support/store.ts'
import { blocksOf, readPage } from './documents.ts'

/**
 * The `sh` blocks of these pages run from top to bottom, one page after the other, in one shell and on one fresh store, in a copy of the
 * project, as somebody who reads them would paste them.
 */

const PAGES = ['README.md', 'docs/api.md', 'docs/operations.md', 'docs/questions.md'] as const

/** Blocks that are not run here, and why. */
const NOT_RUN: Readonly<Record<string, string>> = {
  'npm ci && npm run demo\n': 'installs packages; tests/demo runs the demo',
  'npm ci && npm test\n': 'would run this test within itself',
  'docker compose exec api node dist/src/cli/main.js keys create --scope admin --name first\n':
    'needs Docker; docker.test.ts holds its files to the code',
}

/** Runs until it is stopped, in another terminal than the blocks after it. */
const SERVE = 'npm start\n'

const PROGRAM = [process.execPath, ...programOf('src/cli/main.ts')].join(' ')

const PORT = 'http://127.0.0.1:8080'
/** Stands between the output of two pages. */
const NEXT_PAGE = '=== next page'
/** Not part of a clone, or linked. */
const NOT_COPIED = ['node_modules', 'dist', '.git', 'results', '.env']

describe('shell blocks', { timeout: HANGS_AFTER_MS }, () => {
  let folder: string
  let service: ChildProcess
  let printed: string[]
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'frostline-clone-'))
    cpSync(ROOT, folder, {
      recursive: true,
      filter: (path) =>
        !NOT_COPIED.includes(basename(path)) && !/^data\/(?!README)./.test(path.slice(ROOT.length + 1)),
    })
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
    const scripts = join(folder, 'package.json')
    // The service runs from its sources; the commands are the same program, and start faster.
    const [sources, compiled] = ['node --import tsx src/cli/main.ts"', `${PROGRAM}"`]
    const text = readFileSync(scripts, 'utf8')
    assert.ok(text.includes(`"cli": "exec ${sources}`))
    writeFileSync(scripts, text.replace(sources, compiled))
    const port = await freePort()
    const { DATA_DIR: _, LOG_LEVEL: __, ...inherited } = process.env
    const env = { ...inherited, PORT: String(port), COMPACT_CRON: 'off' }
    assert.ok(blocksOf(readPage('README.md'), 'sh').indexOf(SERVE) < 2, 'the README starts the service first')
    service = spawn('sh', ['-c', `exec ${SERVE}`], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] })
    await listening(service)
    const url = PORT.replace('8080', String(port))
    await untilReady(url)
    const script = PAGES.map((page) => scriptOf(page, url)).join(`\necho '${NEXT_PAGE}'\n`)
    const run = promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], { cwd: folder, env })
    printed = (await run).stdout.split(`${NEXT_PAGE}\n`)
  })
  after(async () => {
    service.kill('SIGTERM')
    if (service.exitCode === null) await once(service, 'exit')
    rmSync(folder, { recursive: true, force: true })
  })

  it('are run, or have a reason', () => {
    const blocks = PAGES.flatMap((page) => blocksOf(readPage(page), 'sh'))
    for (const block of [SERVE, ...Object.keys(NOT_RUN)])
      assert.ok(blocks.includes(block), `no page has ${block}`)
  })

  it('of the README post, ask, compact and verify', () => {
    const replies = jsonIn(printed[0]!)
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
    assert.match(printed[0]!, /^Moved 2 events of 2 days to cold files/m)
    assert.match(printed[0]!, /^Checked 2 events and 2 cold files in .*: no damage\.$/m)
  })

  it('of the API page reject an event and replay it corrected', () => {
    const [posted, replayed] = jsonIn(printed[1]!)
    assert.deepEqual([posted!['accepted'], posted!['rejected']], [1, 1])
    assert.equal(replayed!['accepted'], 1)
  })

  it('of the operations page create keys and users, and replay a dead letter', () => {
    assert.equal(jsonIn(printed[2]!).filter((answer) => 'hot' in answer).length, 2, printed[2])
    assert.match(printed[2]!, /\bme\b.*\badmin\b/)
    assert.match(printed[2]!, /\bweb\b.*\bingest read\b/)
    assert.match(printed[2]!, / occurred_at must be/)
    assert.match(printed[2]!, /"occurred_at": "yesterday"/)
    assert.match(printed[2]!, /^Dead letter \d+ is stored\.$/m)
  })
})

/** Any command that fails ends it. The commands of the README are left as they are; those of other pages start without npm, which is faster. */
function scriptOf(page: string, url: string): string {
  const script = blocksOf(readPage(page), 'sh')
    .filter((block) => block !== SERVE && !Object.hasOwn(NOT_RUN, block))
    .join('')
    .replaceAll(PORT, url)
    .replaceAll('curl -s', 'curl -sf -w "\\n"')
  if (page === 'README.md') return script
  return script.replaceAll('npm run -s cli --', PROGRAM)
}

async function listening({ stdout }: ChildProcess): Promise<void> {
  for await (const line of createInterface({ input: stdout! })) {
    if (line.includes('"listening"')) break
  }
  stdout!.resume()
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** The lines that are JSON objects. */
function jsonIn(printed: string): Record<string, unknown>[] {
  return printed
    .split('\n')
    .filter((line) => line.startsWith('{"'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}
