import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { describe, it } from 'node:test'
import { ROOT } from '../support/root.ts'

/**
 * The rooms of the house, from the top floor down. A room may import from those below it and from itself. A new folder of src/ gets its
 * place here first.
 */
const FLOORS = [
  'build',
  'cli',
  'main.ts',
  'http',
  'demo',
  'metrics',
  'compactor',
  'verify',
  'import',
  'ingest',
  'dead-letters',
  'auth',
  'query',
  'questions',
  'sql',
  'filter',
  'calendar',
  'hot',
  'cold',
  'sets',
  'store',
  'vendors',
  'event',
  'env-file.ts',
  'config.ts',
  'limits',
  'problem',
  'process',
] as const

const ROOMS = FLOORS.filter((room) => !room.endsWith('.ts'))

/** Test folders of no room: what kills and damages, what tests share, and what holds the project together. */
const OWN_TEST_FOLDERS = ['crash', 'project', 'support']

/** TypeScript files below these folders, relative to the project. */
function sourcesIn(...folders: readonly string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.includes('node_modules'))
      .map((name) => join(folder, name)),
  )
}

/** What a file imports of the project, types included, and modules that are loaded later. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(ROOT, file), 'utf8')
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'(\.[^']+)'/g)].map(([, path]) =>
    relative(ROOT, resolve(ROOT, dirname(file), path!)),
  )
}

/** `src/hot/ids.ts` → `hot`, `src/main.ts` → `main.ts`, `compactor/run.ts` → `compactor`. */
function roomOf(file: string): string {
  const [top, room] = file.split(sep)
  return top === 'src' ? room! : top!
}

const floorOf = (file: string) => FLOORS.indexOf(roomOf(file) as (typeof FLOORS)[number])

describe('the rooms', () => {
  it('are the folders that there are; at the top of src/ lie main.ts and the settings and nothing else', () => {
    const rooms = [...readdirSync(join(ROOT, 'src')), 'compactor']
    assert.deepEqual(rooms.toSorted(), [...FLOORS].toSorted())
  })

  it('import only from those below', () => {
    const upward = sourcesIn('src', 'compactor').flatMap((file) =>
      importsOf(file)
        .filter((other) => roomOf(other) !== roomOf(file) && floorOf(other) <= floorOf(file))
        .map((other) => `${file} imports ${other}`),
    )
    assert.deepEqual(upward, [])
  })

  it('say what they are for', () => {
    for (const room of ROOMS) {
      const path = room === 'compactor' ? 'compactor/DESIGN.md' : `src/${room}/README.md`
      assert.match(readFileSync(join(ROOT, path), 'utf8'), /^# .+\n\n.{20}/, path)
    }
  })

  it('have a folder of tests each', () => {
    const folders = readdirSync(join(ROOT, 'tests'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
    assert.deepEqual(folders.toSorted(), [...ROOMS, ...OWN_TEST_FOLDERS].toSorted())
  })
})

describe('the files', () => {
  it('never import each other in a circle', () => {
    const files = new Map(
      sourcesIn('src', 'compactor', 'bench', 'tests').map((file) => [file, importsOf(file)]),
    )
    const done = new Set<string>()
    function visit(file: string, path: readonly string[]): void {
      assert.ok(!path.includes(file), [...path.slice(path.indexOf(file)), file].join(' → '))
      if (done.has(file)) return
      for (const other of files.get(file) ?? []) visit(other, [...path, file])
      done.add(file)
    }
    for (const file of files.keys()) visit(file, [])
  })
})
