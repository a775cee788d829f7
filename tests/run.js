import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

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
const { status } = spawnSync(
  process.execPath,
  ['--import', 'tsx', '--test', '--test-concurrency=2', '--test-timeout=900000', ...files],
  { stdio: 'inherit' },
)
process.exit(status ?? 1)
