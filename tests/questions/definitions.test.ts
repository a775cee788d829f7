import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { QUESTIONS } from '../../src/questions/table.ts'
import { ROOT } from '../support/root.ts'
import { REFERENCE } from './reference/table.ts'

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

  it('has a reference in plain TypeScript for each', () => {
    assert.deepEqual(Object.keys(REFERENCE).toSorted(), names)
  })
})
