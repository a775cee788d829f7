import { COMMON, takesSeveral } from '../questions/parts/parameters.ts'
import { QUESTIONS } from '../questions/table.ts'
import type { Setting } from './command.ts'
import { TEXT } from './kinds.ts'

/** The options of `frostline ask`: the parameters of all questions. */

const SEGMENT: Setting = {
  value: 'text',
  kind: TEXT,
  many: true,
  meaning: 'event_type:a,b or properties.<key>:a,b',
}

/** The parameter `mau_days` is the option `--mau-days`. */
export const ASK_OPTIONS: Readonly<Record<string, Setting<string>>> = Object.fromEntries(
  [
    ...[COMMON, ...QUESTIONS.map(({ parameters }) => parameters)].reduce((found, { entries }) => {
      for (const [name, schema] of Object.entries(entries)) found.set(name, takesSeveral(schema))
      return found
    }, new Map<string, boolean>()),
  ]
    .map(([name, is_list]): [string, Setting<string>] => [
      name.replaceAll('_', '-'),
      {
        value: 'value',
        kind: TEXT,
        ...(is_list ? { many: true } : {}),
        meaning: `Parameter ${name} of ${questionsWith(name)}`,
      },
    ])
    .concat([['segment', SEGMENT as Setting<string>]]),
)

function questionsWith(name: string): string {
  if (name in COMMON.entries) return 'every question'
  const names = QUESTIONS.filter(({ parameters }) => name in parameters.entries).map((each) => each.name)
  return names.length > 4 ? 'most questions' : names.join(', ')
}
