import { UsageError } from './command.ts'
import type { Argument, Command, Values } from './command.ts'
import { unknownName } from './misspelt.ts'

/** Reads the words after a command's name. */

export interface Given {
  arguments: Values
  options: Values
}

/** @throws {UsageError} */
export function parseWords(command: Command, words: readonly string[]): Given {
  const { plain, optional } = separate(command, words)
  return { arguments: readArguments(command, plain), options: readOptions(command, optional) }
}

/** Splits options, by name and with the text of their values, from arguments. The text of a flag is empty. */
function separate({ name: of, options }: Command, words: readonly string[]) {
  const plain: string[] = []
  const optional = new Map<string, string>()
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i]!
    if (word === '--') return { plain: [...plain, ...words.slice(i + 1)], optional }
    if (!word.startsWith('-') || word === '-') {
      plain.push(word)
      continue
    }
    const [dashed, attached] = word.split(/=(.*)/s, 2)
    const name = dashed!.slice(2)
    const option = dashed!.startsWith('--') && Object.hasOwn(options, name) ? options[name]! : undefined
    if (option === undefined) throw unknownOption(of, name, Object.keys(options))
    const takes_value = 'kind' in option
    if (!takes_value && attached !== undefined) throw new UsageError(`--${name} takes no value.`)
    const value = takes_value ? (attached ?? valueIn(words[++i])) : ''
    if (value === undefined) throw new UsageError(`--${name} needs a value.`)
    if (optional.has(name)) throw new UsageError(`--${name} can be given only once.`)
    optional.set(name, value)
  }
  return { plain, optional }
}

/** The word after an option, unless it is the next option. */
function valueIn(word: string | undefined): string | undefined {
  return word === '-' || !word?.startsWith('-') ? word : undefined
}

function readArguments(command: Command, texts: readonly string[]): Values {
  const expected = Object.entries(command.arguments)
  const takes_many = expected.some(([, { many }]) => many)
  if (texts.length > expected.length && !takes_many)
    throw new UsageError(`Too many arguments for \`${command.name}\`.`)
  return Object.fromEntries(
    expected.map(([name, argument], i) => {
      const text = texts[i]
      if (text === undefined) throw new UsageError(`\`${command.name}\` needs <${name}>.`)
      if (argument.many) return [name, texts.slice(i).map((each) => read(`<${name}>`, argument, each))]
      return [name, read(`<${name}>`, argument, text)]
    }),
  )
}

function readOptions(command: Command, texts: ReadonlyMap<string, string>): Values {
  return Object.fromEntries(
    Object.entries(command.options).map(([name, option]) => {
      const given = texts.get(name)
      if (!('kind' in option)) return [name, given !== undefined]
      if (given === undefined && option.required) throw new UsageError(`\`${command.name}\` needs --${name}.`)
      const text = given ?? option.default
      return [name, text === undefined ? undefined : read(`--${name}`, option, text)]
    }),
  )
}

function read(label: string, { kind }: Argument, text: string): unknown {
  const value = kind.read(text)
  if (value === null) throw new UsageError(`${label} ${kind.rule}.`)
  return value
}

function unknownOption(command: string, word: string, names: readonly string[]): UsageError {
  const told = unknownName('option', word, names, (name) => `--${name}`)
  const list = names.length === 0 ? 'no options' : names.map((name) => `--${name}`).join(', ')
  return new UsageError(`${told}\n\`${command}\` takes ${list}.`)
}
