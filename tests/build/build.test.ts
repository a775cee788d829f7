import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { PROGRAMS } from '../../src/build/build.ts'
import { ROOT } from '../support/root.ts'

const runBuilt = (path: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  spawnSync(process.execPath, [join('dist', path), ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    encoding: 'utf8',
  })

/** That the built program works is what all tests of commands show; here stands what it needs beside it. */
describe('the built program', () => {
  before(() => {
    execFileSync('npm', ['run', 'build'], { cwd: ROOT, stdio: 'ignore' })
  })

  it('knows its version, and imports', () => {
    const version = runBuilt('src/cli/main.js', ['--version'])
    assert.match(version.stdout, /\b\d+\.\d+\.\d+\b/)
    const help = runBuilt('src/cli/import-events.js', ['--help'])
    assert.equal(help.status, 0, help.stderr)
    assert.match(help.stdout, /import/)
  })

  it('has a compactor that says what is wrong with its settings', () => {
    const { status, stderr } = runBuilt('compactor/main.js', [], { COMPACT_CRON: 'off' })
    assert.equal(status, 2)
    assert.match(stderr, /COMPACT_CRON is off/)
  })

  it('has a file for each module that runs by itself', () => {
    for (const path of PROGRAMS) {
      const { status, stderr } = spawnSync(
        process.execPath,
        ['--check', join(ROOT, 'dist', path.replace(/\.ts$/, '.js'))],
        { encoding: 'utf8' },
      )
      assert.equal(status, 0, stderr)
    }
  })
})
