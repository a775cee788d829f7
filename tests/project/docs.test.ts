import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { safeParse } from 'valibot'
import { ENV_SCHEMA } from '../../src/config.ts'
import { METRICS } from '../../src/metrics/catalog.ts'
import { PROBLEMS } from '../../src/problem/problem.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { ROOT } from '../support/root.ts'
import { createTestStore } from '../support/store.ts'
import { PAGES, plain, readPage, rowsOf, sectionOf } from './documents.ts'

/** Tables that documents and code must agree on. */

describe('the documents', () => {
  it('list every variable with its default, and no other', () => {
    const listed = rowsOf(readPage('docs/configuration.md')).map(([name, value]) => [
      plain(name!),
      plain(value!),
    ])
    const actual = Object.entries(ENV_SCHEMA.entries).map(([name, schema]) => [name, String(schema.default)])
    assert.deepEqual(listed.toSorted(), actual.toSorted())
    assert.ok(safeParse(ENV_SCHEMA, Object.fromEntries(listed)).success)
  })

  it('list every problem with its status, and no other', () => {
    const listed = rowsOf(sectionOf('docs/api.md', '## Problems')).map(([name, status]) => [
      plain(name!),
      Number(status),
    ])
    assert.deepEqual(
      listed,
      Object.entries(PROBLEMS).map(([name, { status }]) => [name, status]),
    )
  })

  it('list every metric with its type, its labels and its meaning, and no other', () => {
    const listed = rowsOf(sectionOf('docs/metrics.md', '## All metrics')).map((cells) => cells.map(plain))
    assert.deepEqual(
      listed,
      Object.entries(METRICS).map(([name, { type, labels, help }]) => [name, type, labels.join(', '), help]),
    )
  })

  it('name only metrics that exist', () => {
    const known = new Set(Object.keys(METRICS))
    for (const page of PAGES) {
      for (const [name] of readPage(page).matchAll(/\bfrostline_[a-z0-9_]+/g)) {
        // Prometheus derives these names from a histogram's.
        assert.ok(known.has(name.replace(/_(?:bucket|sum|count)$/, '')), `${page}: ${name}`)
      }
    }
  })

  it('name only scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    for (const page of PAGES) {
      for (const [, name] of readPage(page).matchAll(/npm run (?:-s )?([a-z:-]+)/g))
        assert.ok(Object.hasOwn(scripts, name!), `${page}: npm run ${name}`)
    }
  })
})

describe("the README's commands", { timeout: HANGS_AFTER_MS }, () => {
  const documented = rowsOf(sectionOf('README.md', '## Commands')).map(([cell]) =>
    plain(cell!)
      .replace('frostline ', '')
      .replace(/ [[<].*$/, '')
      .split(' '),
  )
  const groups = new Set(documented.filter((words) => words.length > 1).map(([group]) => group!))

  it('are those of --help', async (t) => {
    const store = createTestStore()
    t.after(() => store.remove())
    const { stdout } = await store.cli(['--help'])
    const listed = commandsIn(stdout)
    assert.deepEqual(firstWords(documented), firstWords(listed))
    for (const words of listed) {
      if (words.length > 1)
        assert.ok(
          documented.some((known) => known.join(' ') === words.join(' ')),
          words.join(' '),
        )
    }
    for (const group of groups) {
      const { stdout: help } = await store.cli([group, '--help'])
      for (const [, verb] of documented.filter(([name]) => name === group))
        assert.match(help, new RegExp(`\\b${verb}\\b`), `${group} ${verb}`)
    }
  })

  it('each show their own --help', async (t) => {
    const store = createTestStore()
    t.after(() => store.remove())
    for (const words of documented) {
      const { code, stdout } = await store.cli([...words, '--help'])
      assert.equal(code, 0, words.join(' '))
      assert.match(stdout, new RegExp(`frostline ${words.join(' ')}`))
    }
  })
})

/** The commands on a help page: indented names, perhaps of two words, each with a description behind it. */
function commandsIn(help: string): string[][] {
  const names = [...help.matchAll(/^ {2,}(?:frostline )?([a-z][a-z-]*(?: [a-z]+)*)(?: [<[][^ ]*)* {2,}\S/gm)]
  return names.map(([, name]) => name!.split(' '))
}

function firstWords(commands: readonly string[][]): string[] {
  return [...new Set(commands.map(([first]) => first!))].toSorted()
}
