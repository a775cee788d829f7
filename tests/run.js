import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { run } from 'node:test'
import { spec, tap } from 'node:test/reporters'
import { parseArgs } from 'node:util'
import { register } from 'tsx/esm/api'

/**
 * Runs all tests, or those whose path holds one of the arguments; with --long each of them with its full counts (support/counts.ts).
 * Everything is compiled once and runs from there: to load tsx and compile anew in each of the processes took as long as the tests.
 */

const AT_A_TIME = 2
/** A limit for a file that hangs; nothing is measured by it. */
const FILE_MS_MAX = 900_000
const SLOWEST = 10

const { long, wanted } = readArguments()
const paths = readdirSync(import.meta.dirname, { recursive: true })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => join('tests', name))
  .filter((path) => wanted.length === 0 || wanted.some((part) => path.includes(part)))
  .toSorted()
if (paths.length === 0) {
  console.error('no test file found')
  process.exit(1)
}

register()
const { BUILD_VARIABLE, buildInto, builtPath } = await import('./support/build.ts')
const { LENGTH_VARIABLE } = await import('./support/counts.ts')
const { ROOT, ROOT_VARIABLE } = await import('./support/root.ts')
const build = mkdtempSync(join(tmpdir(), 'frostline-build-'))
process.once('exit', () => rmSync(build, { recursive: true, force: true }))
const stop = new AbortController()
for (const name of ['SIGINT', 'SIGTERM']) process.once(name, () => stop.abort())
buildInto(build)

Object.assign(process.env, {
  [BUILD_VARIABLE]: build,
  [ROOT_VARIABLE]: ROOT,
  [LENGTH_VARIABLE]: long ? 'long' : 'short',
})
// The processes of the files inherit it: their stacks name the sources.
process.execArgv.push('--enable-source-maps')
process.chdir(ROOT)
const sources = new Map(paths.map((path) => [builtPath(build, path), path]))
const events = run({
  files: [...sources.keys()],
  concurrency: AT_A_TIME,
  timeout: FILE_MS_MAX,
  signal: stop.signal,
})

/** Seconds of each file's process. */
const seconds = new Map()
const withTests = new Set()
let failed = false
/** The event of a file, not of a test in it. */
const isFile = ({ name, nesting }) => nesting === 0 && sources.has(name)
events.on('test:complete', (event) => {
  if (isFile(event)) seconds.set(event.name, event.details.duration_ms / 1_000)
})
events.on('test:fail', ({ todo }) => {
  failed ||= todo === undefined || todo === false
})
for (const kind of ['test:pass', 'test:fail']) {
  events.on(kind, (event) => {
    if (!isFile(event)) withTests.add(relative(ROOT, event.file))
  })
}
for await (const text of events.compose(process.stdout.isTTY ? spec : tap)) process.stdout.write(text)

const slowest = [...seconds].toSorted(([, a], [, b]) => b - a).slice(0, SLOWEST)
console.log('# slowest files')
for (const [file, s] of slowest) console.log(`# ${s.toFixed(1).padStart(6)} s  ${sources.get(file)}`)
const empty = paths.filter((path) => !withTests.has(path))
if (empty.length > 0) console.log(`# without any test: ${empty.join(', ')}`)
process.exitCode = failed || empty.length > 0 ? 1 : 0

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { long: { type: 'boolean' } },
    })
    return { long: values.long === true, wanted: positionals }
  } catch (error) {
    console.error(`${error.message}\nusage: node tests/run.js [--long] [PART of a path]…`)
    process.exit(2)
  }
}
