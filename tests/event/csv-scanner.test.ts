import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CsvScanner } from '../../src/event/csv-scanner.ts'
import { howMany } from '../support/counts.ts'

/** How many times the steps a text of twice the size may cost. */
const TIMES_MAX = 2.2
/** A quote that is never closed is found out at the end, and then its lines are read once more. */
const STEPS_PER_BYTE_MAX = 4
/** Twice the first is more than one record may have, and so few that a square of it is still counted in a moment. */
const SIZES = [howMany('bytes_of_a_slow_csv'), 20_000]

/** What is slow to read if anything is; `n` is their size in bytes, more or less. */
const SHAPES: Readonly<Record<string, (n: number) => string>> = {
  'quotes and blanks': (n) => '" '.repeat(n / 2),
  'quotes alone': (n) => '"'.repeat(n),
  'a quote that others follow': (n) => `"${'"x'.repeat(n / 2)}`,
  'an unclosed quote before many lines': (n) => `"${'x\n'.repeat(n / 2)}`,
  'an unclosed quote in every line': (n) => '"x\n'.repeat(n / 3),
  'an unclosed quote in every second line': (n) => 'a,"b\nc\n'.repeat(n / 7),
  'quotes that every line closes and opens': (n) => 'x","\n'.repeat(n / 5),
  'closed quotes over many lines': (n) => '"\n\n\n\n"\n'.repeat(n / 7),
  'quotes that go on behind their end': (n) => '"a"b\n'.repeat(n / 5),
  'doubled quotes': (n) => `${'""'.repeat(n / 2)}\n`,
  'empty fields': (n) => ','.repeat(n),
  'empty fields in lines': (n) => ',,,,\n'.repeat(n / 5),
  'quoted empty fields': (n) => '"",'.repeat(n / 3),
  'a header without end': (n) => `${'column,'.repeat(n / 7)}\n1,2\n`,
  'a line without end': (n) => 'x'.repeat(n),
  'blank lines': (n) => '\n'.repeat(n),
  'carriage returns': (n) => '\r'.repeat(n),
  'carriage returns before line ends': (n) => `${'\r'.repeat(99)}\n`.repeat(n / 100),
  'carriage returns behind quotes': (n) => `"a"${'\r'.repeat(96)}x`.repeat(n / 100),
}

function stepsOf(text: string): number {
  const scanner = new CsvScanner()
  scanner.push(Buffer.from(text), true, () => {})
  return scanner.steps
}

describe('the CSV scanner', () => {
  for (const [name, textOf] of Object.entries(SHAPES)) {
    it(`looks at twice as much for twice as many bytes of ${name}`, () => {
      for (const bytes of SIZES.toReversed()) {
        const once = stepsOf(textOf(bytes))
        assert.ok(once <= STEPS_PER_BYTE_MAX * bytes, `${once} steps for ${bytes} bytes`)
        // Line ends behind an unreadable record are found and not counted.
        assert.ok(once >= bytes * 0.75, `${once} steps for ${bytes} bytes`)
        const twice = stepsOf(textOf(2 * bytes))
        assert.ok(twice <= TIMES_MAX * once, `${once} steps, and ${twice} for twice as many bytes`)
      }
    })
  }
})
