import { PROGRAM, UsageError } from './command.ts'
import type { Command } from './command.ts'
import { COMMANDS } from './commands.ts'
import { unknownName } from './misspelt.ts'

/** Which command a command line begins with. */

/** A command and the words after it; or a word that begins several commands; or nothing yet. */
export type Found = { command: Command; rest: readonly string[] } | { family: string } | null

/** @throws {UsageError} */
export function findCommand(words: readonly string[]): Found {
  const [first, second] = words
  if (first === undefined || first.startsWith('-')) return null
  const single = COMMANDS.find(({ name }) => name === first)
  if (single !== undefined) return { command: single, rest: words.slice(1) }
  const family = familyOf(first)
  if (family.length === 0) throw unknownCommand(first)
  if (second === undefined || second.startsWith('-')) return { family: first }
  const found = family.find(({ name }) => name === `${first} ${second}`)
  if (found === undefined) throw unknownVerb(first, second)
  return { command: found, rest: words.slice(2) }
}

/** Commands of two words with this first word. */
export function familyOf(word: string): Command[] {
  return COMMANDS.filter(({ name }) => name.startsWith(`${word} `))
}

function unknownCommand(word: string): UsageError {
  const names = COMMANDS.map(({ name }) => name.split(' ')[0]!)
  return new UsageError(`${unknownName('command', word, names)}\n\`${PROGRAM} --help\` lists the commands.`)
}

function unknownVerb(first: string, word: string): UsageError {
  const verbs = familyOf(first).map(({ name }) => name.slice(first.length + 1))
  const told = unknownName('command', word, verbs, (verb) => `${first} ${verb}`)
  return new UsageError(`${told}\nCommands of \`${first}\`: ${verbs.join(', ')}.`)
}
