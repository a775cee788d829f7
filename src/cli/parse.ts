import { cac } from 'cac'
import { UsageError } from './command.ts'
import type { Argument, Command, Values } from './command.ts'
import { unknownName } from './misspelt.ts'

/** Reads the words after a command's name. cac parses them; this file hides its quirks. */

export interface Given {
  arguments: Values
  options: Values
}

/** Stands before each value, which keeps it a text: cac reads `--name 007` as the number 7, and `--name ''` as 0. */
const MARK = '='

/** @throws {UsageError} */
export function parseWords(command: Command, words: readonly string[]): Given {
  const { plain, marked } = separate(command, words)
  const parsed: Values = cac().parse(['', '', ...marked], { run: false }).options
  return { arguments: readArguments(command, plain), options: readOptions(command, parsed) }
}

/** Splits options from arguments; cac would take the argument in `keys revoke --json 007` for the value of --json. */
function separate({ name: of, options }: Command, words: readonly string[]) {
  const plain: string[] = []
  const marked: string[] = []
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i]!
    if (word === '--') return { plain: [...plain, ...words.slice(i + 1)], marked }
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
    marked.push(`--${name}=${MARK}${value}`)
  }
  return { plain, marked }
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

function readOptions(command: Command, parsed: Values): Values {
  return Object.fromEntries(
    Object.entries(command.options).map(([name, option]) => {
      const value = parsed[camelCase(name)] as string | string[] | undefined
      const takes_many = 'kind' in option && option.many
      if (Array.isArray(value) && !takes_many) throw new UsageError(`--${name} can be given only once.`)
      if (!('kind' in option)) return [name, value !== undefined]
      if (value === undefined && option.required) throw new UsageError(`\`${command.name}\` needs --${name}.`)
      const texts = value === undefined ? [] : [value].flat().map((marked) => marked.slice(MARK.length))
      if (texts.length === 0 && option.default !== undefined) texts.push(option.default)
      const values = texts.map((text) => read(`--${name}`, option, text))
      return [name, option.many && values.length > 0 ? values : values[0]]
    }),
  )
}

/** cac's name of an option: `--extra-columns` is `extraColumns`. */
function camelCase(name: string): string {
  return name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase())
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
