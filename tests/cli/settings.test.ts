import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { COMMANDS } from '../../src/cli/commands.ts'
import { readEnvFile } from '../../src/env-file.ts'
import { programOf } from '../support/build.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { sampleEvents } from '../support/sample.ts'
import { createTestStore, finish, postAll, untilReady } from '../support/store.ts'
import type { Run, TestStore } from '../support/store.ts'
import { runHere } from './terminal.ts'

/** Where commands take their settings from, and what they say about the store they work on. */

describe('settings of a command', { timeout: HANGS_AFTER_MS }, () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'frostline-settings-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  /** In the folder, with nothing set but this. */
  function run(args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
    const { DATA_DIR: _, PORT: __, LOG_LEVEL: ___, ...inherited } = process.env
    return finish(
      spawn(process.execPath, [...programOf('src/cli/main.ts'), ...args], {
        cwd: folder,
        env: { ...inherited, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    )
  }
  const setFile = (text: string) => writeFileSync(join(folder, '.env'), text)
  const missing = (store: string) => new RegExp(`^There is no store in ${join(folder, store)}\\. `)

  it('come from .env, then from the environment, then from options', async () => {
    setFile('# ours\n\nexport DATA_DIR="of file" # the store\nCOMPACT_CRON=\'5 * * * *\'\nOTHER=1\n')
    const answers = await Promise.all([
      run(['tiers']),
      run(['tiers'], { DATA_DIR: 'of-environment' }),
      run(['tiers', '--data-dir', 'of-option'], { DATA_DIR: 'of-environment' }),
      run(['tiers'], { DATA_DIR: '' }),
    ])
    const stores = ['of file', 'of-environment', 'of-option', 'data/store']
    for (const [i, { code, stderr }] of answers.entries()) {
      assert.equal(code, 1)
      assert.match(stderr, missing(stores[i]!))
    }
  })

  it('of .env are checked like those of the environment', async () => {
    setFile('PORT=zebra\n')
    const { code, stderr } = await run(['tiers'])
    assert.deepEqual([code, stderr], [2, 'PORT must be a whole number from 0 to 65535\n'])
  })

  it('of a file that is malformed or cannot be read are an error, which repeats no line', async () => {
    setFile('PORT=0\nAUTH_JWT_SECRET="Zebra\nHOST=127.0.0.1\nZebra\n')
    const malformed = await run(['tiers'])
    assert.equal(malformed.code, 2)
    assert.equal(
      malformed.stderr,
      `${join(folder, '.env')}: line 2, 4 must be NAME=value, a comment or blank\n`,
    )
    rmSync(join(folder, '.env'))
    mkdirSync(join(folder, '.env'))
    assert.throws(() => readEnvFile(join(folder, '.env')), /^ConfigError: \S*\.env cannot be read: EISDIR/)
    assert.equal((await run(['tiers', '--help'])).code, 0)
    rmSync(join(folder, '.env'), { recursive: true })
  })
})

describe('an address that cannot be listened on', { timeout: HANGS_AFTER_MS }, () => {
  let store: TestStore
  before(() => {
    store = createTestStore()
  })
  after(() => store.remove())

  it('is a failure of one line', async () => {
    const blocker = createServer().listen(0, '127.0.0.1')
    await once(blocker, 'listening')
    const { port } = blocker.address() as AddressInfo
    const taken = await store.cli(['serve', '--port', String(port)])
    blocker.close()
    assert.equal(taken.code, 1)
    assert.equal(
      taken.stderr,
      `store: ${store.data_dir}\nCannot listen on 127.0.0.1 port ${port}: the port is in use; choose another with --port or PORT.\n`,
    )
    const elsewhere = await store.cli(['serve', '--host', '192.0.2.1'], { ALLOW_ANONYMOUS: 'true' })
    assert.equal(elsewhere.code, 1)
    assert.match(elsewhere.stderr, /192\.0\.2\.1 port 0: this machine has no such address; /)
  })
})

describe('the store of a command', { timeout: HANGS_AFTER_MS }, () => {
  let store: TestStore
  before(() => {
    store = createTestStore()
  })
  after(() => store.remove())

  it('is not made by any but serve, import and demo', async () => {
    const makers = COMMANDS.filter(({ makes_store }) => makes_store).map(({ name }) => name)
    assert.deepEqual(makers, ['serve', 'demo', 'import'])
    const DATA_DIR = join(store.dir, 'misspelt')
    for (const { name, examples } of COMMANDS.filter((command) => !makers.includes(command.name))) {
      const words = examples[0][0].replace('frostline ', '').split(' ')
      const { code, stdout, stderr } = await runHere(words, { ...store.env, DATA_DIR })
      assert.deepEqual([code, stdout], [1, ''], name)
      assert.match(stderr, /^There is no store in \S*misspelt\. .*\n$/, name)
      assert.ok(!existsSync(DATA_DIR), name)
    }
  })

  it('is named on stderr, unless the answer is JSON', async () => {
    await store.cli(['import', '/dev/null'])
    const told = await runHere(['keys', 'list'], store.env)
    assert.deepEqual([told.code, told.stderr], [0, `store: ${store.data_dir}\n`])
    const json = await runHere(['keys', 'list', '--json'], store.env)
    assert.deepEqual([json.code, json.stderr], [0, ''])
  })

  it('that an option chose is the one that scheduled compactions work on', async () => {
    const chosen = join(store.dir, 'chosen')
    const service = store.start(['serve', '--data-dir', chosen, '--port', '0'], {
      COMPACT_CRON: '* * * * * *',
      HOT_DAYS: '0',
      LOG_FORMAT: 'json',
    })
    const entries: Record<string, unknown>[] = []
    let rest = ''
    const moved = new Promise<Record<string, unknown>>((resolve, reject) => {
      service.once('exit', reject)
      service.stdout!.on('data', (part: Buffer) => {
        const lines = (rest + part.toString()).split('\n')
        rest = lines.pop()!
        for (const line of lines) {
          const entry = JSON.parse(line) as Record<string, unknown>
          entries.push(entry)
          if (entry['msg'] === 'listening') void postOne(String(entry['url'])).catch(reject)
          if (entry['msg'] === 'compaction' && entry['rows'] === 1) resolve(entry)
        }
      })
    })
    const { level: _, time: __, pid: ___, took_ms, ...fields } = await moved
    assert.equal(typeof took_ms, 'number')
    assert.deepEqual(fields, {
      days: 1,
      rows: 1,
      files: 1,
      merged_files: 0,
      collected_rows: 1,
      removed_files: 0,
      msg: 'compaction',
    })
    assert.equal(entries.find(({ msg }) => msg === 'listening')!['data_dir'], chosen)
  })
})

/** An event of a closed day. */
async function postOne(url: string): Promise<void> {
  await untilReady(url)
  await postAll(url, [sampleEvents(1, 1, '2025-08-01', 1)[0]!])
}
