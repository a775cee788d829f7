import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { programOf } from '../support/build.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { ROOT } from '../support/root.ts'

/** A signal to npm, or to npx, ends the service that it runs. */

const LOOK_AGAIN_MS = 50

const { scripts: SCRIPTS } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>
}

/** Waits until the process is gone, and nobody listens. */
async function untilGone({ pid, url }: { pid: number; url: string }): Promise<void> {
  while (isThere(pid)) await setTimeout(LOOK_AGAIN_MS)
  await assert.rejects(fetch(`${url}/livez`))
}

describe('a service that npm runs', { timeout: HANGS_AFTER_MS }, () => {
  let folder: string
  const children: ChildProcess[] = []
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'frostline-npm-'))
    const program = [process.execPath, ...programOf('src/cli/main.ts')].map((word) => `'${word}'`).join(' ')
    const bin = join(folder, 'node_modules/.bin')
    mkdirSync(bin, { recursive: true })
    const script = SCRIPTS['start']!.replace('node --import tsx src/cli/main.ts', program)
    assert.match(script, /^exec .* serve$/)
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ name: 'user', private: true, scripts: { start: script } }),
    )
    writeFileSync(join(bin, 'frostline'), `#!/bin/sh\nexec ${program} "$@"\n`)
    chmodSync(join(bin, 'frostline'), 0o755)
  })
  after(() => {
    for (const { pid } of children) endGroup(pid!)
    rmSync(folder, { recursive: true, force: true })
  })

  /** Starts it in a process group of its own, as a supervisor does. */
  async function start(command: string, args: readonly string[]) {
    const child = spawn(command, args, {
      cwd: folder,
      env: { ...process.env, DATA_DIR: join(folder, 'store'), PORT: '0', COMPACT_CRON: 'off' },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    children.push(child)
    const log: string[] = []
    const listening = new Promise<{ pid: number; url: string }>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`${command} ended with ${code}`)))
      createInterface({ input: child.stdout! }).on('line', (line) => {
        log.push(line)
        if (line.includes('"listening"')) resolve(JSON.parse(line) as { pid: number; url: string })
      })
    })
    const exited = once(child, 'exit') as Promise<[number | null]>
    return { npm: child.pid!, log, exited, ...(await listening) }
  }

  it('ends with npm start on SIGTERM to npm alone, and with its exit code', async () => {
    const service = await start('npm', ['start'])
    process.kill(service.npm, 'SIGTERM')
    assert.deepEqual(await service.exited, [0, null])
    await untilGone(service)
    assert.match(service.log.at(-1)!, /"stopped"/)
  })

  it('ends in good order on Ctrl-C, which reaches npm and service both', async () => {
    const service = await start('npm', ['start'])
    process.kill(-service.npm, 'SIGINT')
    assert.deepEqual(await service.exited, [0, null])
    await untilGone(service)
    assert.match(service.log.at(-1)!, /"stopped"/)
  })

  it('ends after npx on SIGTERM to npx alone', async () => {
    const service = await start('npx', ['frostline', 'serve'])
    process.kill(service.npm, 'SIGTERM')
    await service.exited
    await untilGone(service)
  })

  it('is not below a shell in any script', () => {
    for (const name of ['start', 'demo', 'compactor', 'cli'])
      assert.match(SCRIPTS[name]!, /^exec node /, name)
  })
})

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}
