import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createSource } from '../../src/questions/parts/source.ts'
import { QUESTIONS } from '../../src/questions/table.ts'
import { statement } from '../../src/sql/statement.ts'
import { openDuck } from '../../src/store/duckdb.ts'
import { askedFor } from '../support/asked.ts'
import { ROOT } from '../support/root.ts'
import { REFERENCE } from './reference/questions.ts'

describe('the table of questions', () => {
  const names = QUESTIONS.map(({ name }) => name).toSorted()

  it('has each question once, and a definition of each in docs/questions.md', () => {
    const text = readFileSync(join(ROOT, 'docs/questions.md'), 'utf8')
    const defined = [...text.matchAll(/^### (\S+)$/gm)].map(([, name]) => name!)
    assert.deepEqual(defined.toSorted(), names)
    for (const field of ['name', 'kind', 'title'] as const) {
      assert.equal(new Set(QUESTIONS.map((definition) => definition[field])).size, names.length, field)
    }
  })

  it('reads each event once: no plan joins the events with parts of themselves, which would hold all of them in memory', async (t) => {
    const spill = mkdtempSync(join(tmpdir(), 'frostline-'))
    const duck = await openDuck({ threads: 1, memory_mb: 64, spill })
    t.after(() => {
      duck.close()
      rmSync(spill, { recursive: true })
    })
    const connection = await duck.connect()
    await connection.run(
      'CREATE TABLE events (day DATE, at_us BIGINT, event_id UUID, user_id VARCHAR, event_type VARCHAR, properties VARCHAR)',
    )
    for (const definition of QUESTIONS) {
      for (const { query, reply } of Object.values(definition.examples)) {
        if ('errors' in reply) continue
        const lists: Record<string, string[]> = {}
        for (const [name, value] of new URLSearchParams(query))
          if (name !== 'format') (lists[name] ??= []).push(value)
        const asked = askedFor(definition.name, lists)
        const { sql, params } = statement((bind) =>
          definition.sql(asked, createSource(asked, 'SELECT * FROM events', bind)),
        )
        const plan = await connection.runAndReadAll(`EXPLAIN ${sql}`, params)
        assert.doesNotMatch(JSON.stringify(plan.getRows()), /DELIM/, `${definition.name} ${query}`)
      }
    }
  })

  it('has a reference in plain TypeScript for each', () => {
    assert.deepEqual(Object.keys(REFERENCE).toSorted(), names)
  })
})
