import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { register } from 'tsx/esm/api'

/**
 * Runs all tests, or those whose path holds one of the arguments. Node 20 finds no .ts file by itself (and then calls zero tests a
 * success), so the list is made here.
 */
const wanted = process.argv.slice(2)
const files = readdirSync(import.meta.dirname, { recursive: true })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => join('tests', name))
  .filter((path) => wanted.length === 0 || wanted.some((part) => path.includes(part)))
  .toSorted()
if (files.length === 0) {
  console.error('no test file found')
  process.exit(1)
}
register()
const { BUILD_VARIABLE, buildInto } = await import('./support/build.ts')
const build = mkdtempSync(join(tmpdir(), 'frostline-build-'))
buildInto(build)
const { status } = spawnSync(
  process.execPath,
  [
    '--import',
    'tsx',
    '--import',
    './tests/support/assert-ok.js',
    '--test',
    '--test-concurrency=2',
    '--test-timeout=900000',
    ...files,
  ],
  { stdio: 'inherit', env: { ...process.env, [BUILD_VARIABLE]: build } },
)
rmSync(build, { recursive: true, force: true })
process.exit(status ?? 1)
