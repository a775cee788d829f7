import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { COMMANDS } from '../../src/cli/commands.ts'
import { findCommand } from '../../src/cli/find.ts'
import { usageOf } from '../../src/cli/help.ts'
import { ROOT } from '../support/root.ts'

/** The README and the pages below docs/. */
function pages(): string[] {
  const docs = join(ROOT, 'docs')
  const names = existsSync(docs) ? readdirSync(docs, { recursive: true, encoding: 'utf8' }) : []
  const paths = names.filter((name) => name.endsWith('.md')).map((name) => join(docs, name))
  return [join(ROOT, 'README.md'), ...paths].map((path) => readFileSync(path, 'utf8'))
}

describe('the documents', () => {
  const text = pages().join('\n')

  it('list each command once, with its arguments and with options that it has', () => {
    const listed = [...text.matchAll(/^\| `(frostline [^`]+)` \|/gm)].map(([, line]) => line!)
    const named = listed.map((line) => line.replace(/ [[-].*$/, ''))
    assert.deepEqual(
      named.toSorted(),
      COMMANDS.map((command) => usageOf(command).replace(/ \[?--.*$/, '')).toSorted(),
    )
    for (const [i, line] of listed.entries()) {
      const usage = usageOf(COMMANDS.find((command) => usageOf(command).startsWith(named[i]!))!)
      for (const [option] of line.matchAll(/--[a-z]+(?: <[a-z]+>)?/g)) assert.ok(usage.includes(option), line)
    }
  })

  it('name only commands that exist', () => {
    for (const [, words] of text.matchAll(/(?:`frostline|npm run -s cli --) ([a-z-]+(?: [a-z]+)?)/g))
      assert.notEqual(findCommand(words!.split(' ')), null)
  })
})
