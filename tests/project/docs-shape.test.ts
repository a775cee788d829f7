import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { ROOT } from '../support/root.ts'
import { PAGES, proseOf, readPage, sectionOf } from './documents.ts'

/** Pages stay short enough to be read, and what they point at exists. */

const LINES_MAX = { 'README.md': 200, 'ADR.md': 90, 'LEARNED.md': 100 } as const
const WIDTH_MAX = 120
/** Where table rows must fit too. */
const NARROW = ['ADR.md']

/** Folders of the project that a path may begin with. */
const FOLDERS = ['src', 'compactor', 'tests', 'bench', 'docs', '.ci']
/** Made by a command, so not there before it. */
const MADE = ['bench/results/', 'dist/']

describe('the pages', () => {
  for (const [page, lines_max] of Object.entries(LINES_MAX)) {
    it(`${page} has at most ${lines_max} lines`, () => {
      const lines = readPage(page).trimEnd().split('\n').length
      assert.ok(lines <= lines_max, `${lines} lines`)
    })
  }

  it(`are at most ${WIDTH_MAX} characters wide, table rows aside`, () => {
    for (const page of PAGES) {
      for (const [i, line] of readPage(page).split('\n').entries()) {
        if (line.startsWith('|') && !NARROW.includes(page)) continue
        assert.ok(line.length <= WIDTH_MAX, `${page}:${i + 1} has ${line.length} characters`)
      }
    }
  })

  it('link only to pages and headings that exist', () => {
    for (const page of PAGES) {
      for (const [, target] of proseOf(readPage(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target!)) continue
        const [path, anchor] = target!.split('#')
        const linked = path === '' ? page : join(dirname(page), path!)
        assert.ok(existsSync(join(ROOT, linked)), `${page} links to ${target}`)
        if (anchor !== undefined)
          assert.ok(anchorsOf(readPage(linked)).includes(anchor), `${page} links to ${target}`)
      }
    }
  })

  it('name only files of the project that exist', () => {
    let named = 0
    for (const page of PAGES) {
      for (const [, code] of proseOf(readPage(page)).matchAll(/`([^`\n]+)`/g)) {
        const path = code!.replace(/:\d+$/, '')
        if (!isPath(path) || MADE.some((made) => path.startsWith(made))) continue
        named += 1
        // From the project, from the page's folder, or from src, as the pages of its folders write it.
        const found = [path, join(dirname(page), path), join('src', path)].some((candidate) =>
          existsSync(join(ROOT, candidate)),
        )
        assert.ok(found, `${page} names ${path}`)
      }
    }
    assert.ok(named > 50, `${named} paths`)
  })

  it('name tests that exist', () => {
    const tests = readdirSync(join(ROOT, 'tests'), { recursive: true })
      .map((name) => join('tests', String(name)))
      .filter((name) => name.endsWith('.test.ts'))
    for (const page of PAGES) {
      for (const [, part] of readPage(page).matchAll(/node tests\/run\.js ([a-z][\w./-]*)/g))
        assert.ok(
          tests.some((path) => path.includes(part!)),
          `${page}: node tests/run.js ${part}`,
        )
    }
  })

  it('keep a place for the tables of benchmarks that exist', () => {
    const places = [...readPage('bench/README.md').matchAll(/<!-- bench ([a-z-]+) -->/g)]
    assert.ok(places.length > 0)
    for (const [, name] of places) assert.ok(existsSync(join(ROOT, 'bench', `${name}.ts`)), name)
  })

  it('quote in the README the figures of bench/README.md', () => {
    const bench = readPage('bench/README.md').replaceAll(',', '')
    const rows = sectionOf('README.md', '## Performance')
      .match(/^\| [a-zA-Z].*$/gm)!
      .slice(1)
    assert.equal(rows.length, 5)
    for (const row of rows) {
      const [, , result, against] = row.replaceAll(',', '').split('|')
      for (const [figure] of `${result} ${against}`.matchAll(/\b\d+(?:\.\d+)?\b/g))
        assert.match(bench, new RegExp(`(?<![\\d.])${figure.replace('.', '\\.')}(?![\\d.]*\\d)`), figure)
    }
  })
})

function isPath(code: string): boolean {
  if (!/^[\w./-]+$/.test(code)) return false
  return FOLDERS.includes(code.split('/')[0]!)
    ? code.includes('/')
    : /\.(ts|js|md|c|css|html|yml)$/.test(code)
}

/** As GitHub makes them. */
function anchorsOf(page: string): string[] {
  return [...proseOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  )
}
