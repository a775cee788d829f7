import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { safeParse } from 'valibot'
import { ENV_SCHEMA } from '../../src/config.ts'
import { METRICS } from '../../src/metrics/catalog.ts'
import { PROBLEMS } from '../../src/problem/problems.ts'
import { ROOT } from '../support/root.ts'
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

  it('explain every problem as the service does, and no other', () => {
    const listed = rowsOf(sectionOf('docs/api.md', '## Problems')).map(([name, ...cells]) => [
      plain(name!),
      ...cells,
    ])
    assert.deepEqual(
      listed,
      Object.entries(PROBLEMS).map(([name, { status, meaning, remedy }]) => [
        name,
        String(status),
        meaning,
        remedy,
      ]),
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
