import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { run } from 'node:test'
import { spec, tap } from 'node:test/reporters'
import { parseArgs } from 'node:util'
import { register } from 'tsx/esm/api'

/**
 * Runs all tests, or those whose path holds one of the arguments; with --long each of them with its full counts (support/counts.ts).
 * Everything is compiled once and runs from there: to load tsx and compile anew in each of the processes took as long as the tests.
 * Many files share a process, because to load the program takes longer than most of them.
 */

const AT_A_TIME = 2
/** Its files are long, and kill what they start: each has a process of its own. */
const APART = join('tests', 'crash')
/** Folders of a process of their own; the longest begin first. All others share one. */
const LONG = ['ingest', 'http', 'query', 'questions', 'cold', 'import', 'project', 'compactor', 'demo'].map(
  (folder) => join('tests', folder),
)
/** A limit for a process that hangs; nothing is measured by it. */
const PROCESS_MS_MAX = 1_800_000
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
await buildInto(build)

Object.assign(process.env, {
  [BUILD_VARIABLE]: build,
  [ROOT_VARIABLE]: ROOT,
  [LENGTH_VARIABLE]: long ? 'long' : 'short',
})
// The processes of the files inherit it: their stacks name the sources.
process.execArgv.push('--enable-source-maps')
process.chdir(ROOT)
const events = run({
  files: makeEntries(),
  concurrency: AT_A_TIME,
  timeout: PROCESS_MS_MAX,
  signal: stop.signal,
})

/** Seconds of the tests of each file. */
const seconds = new Map()
let failed = false
events.on('test:fail', ({ todo }) => {
  failed ||= todo === undefined || todo === false
})
for (const kind of ['test:pass', 'test:fail']) {
  events.on(kind, ({ file, nesting, details }) => {
    const path = relative(ROOT, file)
    if (nesting === 0 && paths.includes(path))
      seconds.set(path, (seconds.get(path) ?? 0) + details.duration_ms / 1_000)
  })
}
for await (const text of events.compose(process.stdout.isTTY ? spec : tap)) process.stdout.write(text)

const slowest = [...seconds].toSorted(([, a], [, b]) => b - a).slice(0, SLOWEST)
console.log('# slowest files')
for (const [path, s] of slowest) console.log(`# ${s.toFixed(1).padStart(6)} s  ${path}`)
const empty = paths.filter((path) => !seconds.has(path))
if (empty.length > 0) console.log(`# without any test: ${empty.join(', ')}`)
process.exitCode = failed || empty.length > 0 ? 1 : 0

/** One module for each process, which loads the files that run in it. */
function makeEntries() {
  const entries = new Map()
  for (const path of paths) {
    const folder = dirname(path)
    const name = folder === APART ? path : LONG.includes(folder) ? folder : join('tests', 'others')
    entries.set(name, [...(entries.get(name) ?? []), builtPath(build, path)])
  }
  const first = LONG.filter((folder) => entries.has(folder))
  return [...new Set([...first, ...entries.keys()])].map((name) => {
    const entry = builtPath(build, `${name}.entry.ts`)
    writeFileSync(
      entry,
      entries
        .get(name)
        .map((file) => `await import(${JSON.stringify(file)})\n`)
        .join(''),
    )
    return entry
  })
}

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
