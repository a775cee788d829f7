import { command, JSON_FLAG as json } from './command.ts'
import type { Command } from './command.ts'
import { ID, TEXT } from './kinds.ts'

/** The table's commands for rejected events. */

const id = { kind: ID, meaning: 'Id of the dead letter, from `frostline dead-letters list`' }

export const LETTER_COMMANDS: readonly Command[] = [
  command({
    name: 'dead-letters list',
    group: 'Dead letters',
    summary: 'List rejected events, newest first',
    options: {
      limit: { value: 'n', kind: TEXT, meaning: 'At most this many', default: '100' },
      reason: { value: 'reason', kind: TEXT, meaning: 'Only those with this field or this exact message' },
      cursor: { value: 'cursor', kind: TEXT, meaning: 'Continue where an earlier list ended' },
      json,
    },
    examples: [
      ['frostline dead-letters list --reason occurred_at', 'Lists events with an invalid time'],
      ['frostline dead-letters list --limit 1000 --json', 'Prints {"data":[…],"next_cursor":…}'],
    ],
    load: async () => (await import('./dead-letters.ts')).listLettersCommand,
  }),
  command({
    name: 'dead-letters show',
    group: 'Dead letters',
    summary: 'Show a rejected event as it was sent',
    arguments: { id },
    options: { json },
    examples: [
      ['frostline dead-letters show 1', 'Prints the reason and the event'],
      [
        'frostline dead-letters show 1 --json',
        'Prints one object; its `event` can be corrected and replayed',
      ],
    ],
    load: async () => (await import('./dead-letters.ts')).showLetterCommand,
  }),
  command({
    name: 'dead-letters replay',
    group: 'Dead letters',
    summary: 'Send a rejected event again, as it is or corrected',
    arguments: { id },
    options: {
      event: { value: 'file', kind: TEXT, meaning: 'The corrected event as JSON; - reads stdin' },
      json,
    },
    examples: [
      ['frostline dead-letters replay 1', 'Stores the event if it is valid now, and deletes the letter'],
      ['frostline dead-letters replay 1 --event fixed.json', 'Stores this event instead'],
    ],
    load: async () => (await import('./dead-letters.ts')).replayLetterCommand,
  }),
  command({
    name: 'dead-letters delete',
    group: 'Dead letters',
    summary: 'Delete a rejected event',
    arguments: { id },
    options: { json },
    examples: [
      ['frostline dead-letters delete 1', 'Deletes the event for good'],
      ['frostline dead-letters delete 1 --json', 'Prints {"id":1,"deleted":true}'],
    ],
    load: async () => (await import('./dead-letters.ts')).deleteLetterCommand,
  }),
]
