import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { ROOT } from '../support/root.ts'

/** Code that is read as a definition stays short enough for it: lines of all files together, blank ones and comments included. */
const LINES_MAX = {
  'the reference of the questions': { files: filesOf('tests/questions/reference'), lines_max: 400 },
  'the parser of filters': { files: ['src/filter/parse.ts'], lines_max: 150 },
}
const WIDTH_MAX = 120

function filesOf(folder: string): string[] {
  return readdirSync(join(ROOT, folder)).map((name) => join(folder, name))
}

describe('the code', () => {
  for (const [name, { files, lines_max }] of Object.entries(LINES_MAX)) {
    it(`has ${name} in at most ${lines_max} lines`, () => {
      const lines = files.flatMap((file) => readFileSync(join(ROOT, file), 'utf8').trimEnd().split('\n'))
      assert.ok(lines.length <= lines_max, `${lines.length} lines`)
      const wide = lines.filter((line) => line.length > WIDTH_MAX)
      assert.deepEqual(wide, [])
    })
  }
})
