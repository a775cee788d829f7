import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { COMMANDS } from '../../src/cli/commands.ts'
import { findCommand } from '../../src/cli/find.ts'
import { usageOf } from '../../src/cli/help.ts'
import { PAGES, plain, readPage, rowsOf, sectionOf } from '../project/documents.ts'

describe('the documents', () => {
  it('list each command once, with its arguments', () => {
    const listed = rowsOf(sectionOf('README.md', '## Commands')).map(([cell]) => plain(cell!))
    const expected = COMMANDS.map((command) =>
      usageOf(command)
        .replace(/ …| \[options\]/g, '')
        .replace(/ \[?--.*$/, ''),
    )
    assert.deepEqual(listed.toSorted(), expected.toSorted())
  })

  it('name only commands that exist', () => {
    for (const page of PAGES) {
      for (const [, words] of readPage(page).matchAll(
        /(?:`frostline|npm run -s cli --) ([a-z-]+(?: [a-z]+)?)/g,
      ))
        assert.notEqual(findCommand(words!.split(' ')), null, page)
    }
  })
})
