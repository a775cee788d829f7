import type { CAC } from 'cac'
import { readConfig } from '../config.ts'
import { atMostOnce, LISTED } from './options.ts'

/** `frostline dead-letters …`, as the parser is told of it. */
export function addLetterCommands(cli: CAC, json: readonly [string, string]): void {
  cli
    .command('dead-letters list', 'Rejected events, newest first')
    .option('--limit <n>', 'How many at most; 100 if not given', LISTED)
    .option('--reason <reason>', 'Only those with this field, or this whole message', LISTED)
    .option('--cursor <cursor>', 'Go on where an earlier list ended', LISTED)
    .option(...json)
    .action(async ({ json: as_json, ...options }: Partial<Record<Filter, string[]>> & { json?: boolean }) => {
      const { listLettersCommand } = await import('./dead-letters.ts')
      const given = FILTERS.map((name) => [name, atMostOnce(`--${name}`, options[name])] as const)
      const query = Object.fromEntries(
        given.filter((entry): entry is [Filter, string] => entry[1] !== undefined),
      )
      return listLettersCommand(readConfig(process.env), query, as_json === true)
    })
  cli
    .command('dead-letters show <id>', 'One rejected event, as it was sent')
    .option(...json)
    .action(async (id: string, options: { json?: boolean }) => {
      const { showLetterCommand } = await import('./dead-letters.ts')
      return showLetterCommand(readConfig(process.env), id, options.json === true)
    })
  cli
    .command('dead-letters replay <id>', 'Send a rejected event again, or a corrected one in its place')
    .option('--event <file>', 'The corrected event as JSON; - for stdin', LISTED)
    .option(...json)
    .action(async (id: string, options: { event?: string[]; json?: boolean }) => {
      const { replayLetterCommand } = await import('./dead-letters.ts')
      const event = atMostOnce('--event', options.event)
      return replayLetterCommand(readConfig(process.env), id, event, options.json === true)
    })
  cli.command('dead-letters delete <id>', 'Throw a rejected event away').action(async (id: string) => {
    const { deleteLetterCommand } = await import('./dead-letters.ts')
    return deleteLetterCommand(readConfig(process.env), id)
  })
}

const FILTERS = ['limit', 'reason', 'cursor'] as const
type Filter = (typeof FILTERS)[number]
