import type { Config, ENV_SCHEMA } from '../config.ts'
import { settingKind } from './kinds.ts'
import type { Kind } from './kinds.ts'
import type { Terminal } from './terminal.ts'

/** What a command is: an entry of the table in commands.ts, and a function. */

export const PROGRAM = 'frostline'

/** In the order in which help shows them. */
export const GROUPS = ['Service', 'Data', 'Access', 'Dead letters'] as const

export const EXIT = { done: 0, failed: 1, usage: 2 } as const

/** A failure that the message explains; a stack would add nothing. */
export class CommandError extends Error {
  override name = 'CommandError'
}

/** The command line is wrong. The message repeats names of commands and options, never a value: that may be a secret. */
export class UsageError extends Error {
  override name = 'UsageError'
}

export interface Context extends Pick<Terminal, 'out' | 'note'> {
  config: Config
  /** Prints the result: one line of JSON with --json, this text without. */
  answer: (value: object, text: () => string) => void
}

export interface Argument<T = unknown> {
  meaning: string
  kind: Kind<T>
  /** An argument takes all remaining words, one at least; an option is repeated for each of its values. */
  many?: true
}

export interface Flag {
  meaning: string
}

/** An option with a value. Only one that takes many can be repeated. */
export interface Setting<T = unknown> extends Argument<T> {
  /** The option stands for this variable, and wins over it. */
  sets?: keyof typeof ENV_SCHEMA.entries
  /** Stands for the value in usage lines: `--wait <seconds>`. */
  value: string
  default?: string
  required?: true
}

export type Arguments = Readonly<Record<string, Argument>>
export type Options = Readonly<Record<string, Flag | Setting>>

/** What was given on the command line, by name. */
export type Values = Readonly<Record<string, unknown>>

export type Run<A, O> = (context: Context, args: A, options: O) => Promise<number>

/** A command line, and what it does. */
type Example = readonly [string, string]

export interface Command {
  /** One word, or two: `keys create`. */
  name: string
  group: (typeof GROUPS)[number]
  summary: string
  arguments: Readonly<Record<string, Argument>>
  options: Readonly<Record<string, Flag | Setting>>
  /** Command lines, two at least, each with what it does. */
  examples: readonly [Example, Example, ...Example[]]
  /** Makes the store if there is none. Other commands fail: a misspelt DATA_DIR is an error, not an empty store. */
  makes_store?: true
  /** Changes the environment before the configuration is read from it. */
  environment?: (env: Terminal['env']) => Terminal['env']
  /** Imports the function only when it is called: loading DuckDB takes longer than most commands. */
  load: () => Promise<Run<Values, Values>>
}

type Read<A> = A extends Argument<infer T> ? (A extends { many: true } ? T[] : T) : never
type ValueOf<O> = O extends Setting
  ? Read<O> | (O extends { default: string } | { required: true } ? never : undefined)
  : boolean
type ArgumentsOf<A> = { readonly [Name in keyof A]: Read<A[Name]> }
type OptionsOf<O> = { readonly [Name in keyof O]: ValueOf<O[Name]> }

type Entry<A, O> = Omit<Command, 'arguments' | 'options' | 'load'> & {
  arguments?: A
  options?: O
  load: () => Promise<Run<ArgumentsOf<A>, OptionsOf<O>>>
}

/** An option of every command that prints data. */
export const JSON_FLAG: Flag = { meaning: 'Print the result as one line of JSON' }

/** An option of every command: each works on a store. */
const DATA_DIR: Setting = {
  value: 'folder',
  kind: settingKind('DATA_DIR'),
  sets: 'DATA_DIR',
  meaning: 'Folder of the store, instead of the variable DATA_DIR',
}

/** An entry of the table. Its function must take what its arguments and options give. */
export function command<const A extends Command['arguments'], const O extends Command['options']>(
  entry: Entry<A, O>,
): Command {
  const options = { ...entry.options, 'data-dir': DATA_DIR }
  return { arguments: {}, ...entry, options } as Command
}
