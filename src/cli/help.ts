import { GROUPS, PROGRAM } from './command.ts'
import type { Command, Flag, Setting } from './command.ts'
import { COMMANDS } from './commands.ts'
import { familyOf } from './find.ts'
import type { Found } from './find.ts'
import { align } from './people.ts'

/** Help, made from the table of commands. */

export function helpOn(found: Found): string {
  if (found === null) return overview()
  return 'family' in found ? familyHelp(found.family) : commandHelp(found.command)
}

/** Longer usage lines do not name their options. */
const USAGE_CHARS_MAX = 90

/** `frostline import <file> [--strict] …` */
export function usageOf({ name, arguments: args, options }: Command): string {
  const words = Object.entries(options).map(([option, entry]) => {
    const text = labelOf(option, entry)
    return 'required' in entry ? text : `[${text}]`
  })
  const command = [
    PROGRAM,
    name,
    ...Object.entries(args).map(([word, { many }]) => `<${word}>${many ? ' …' : ''}`),
  ]
  const whole = [...command, ...words].join(' ')
  return whole.length <= USAGE_CHARS_MAX ? whole : [...command, '[options]'].join(' ')
}

function overview(): string {
  const lines = align(COMMANDS.map(summaryOf)).split('\n')
  const groups = GROUPS.map((group) =>
    [group, ...lines.filter((_, i) => COMMANDS[i]!.group === group)].join('\n'),
  )
  return [
    `Usage: ${PROGRAM} <command> [arguments] [options]`,
    ...groups,
    [
      `\`${PROGRAM} <command> --help\` shows the options and examples of a command.`,
      'Settings such as DATA_DIR are options, environment variables, or lines of the file .env.',
      'Exit status: 0 done, 1 failed, 2 wrong usage.',
    ].join('\n'),
  ].join('\n\n')
}

function familyHelp(word: string): string {
  return [
    `Usage: ${PROGRAM} ${word} <command> [arguments] [options]`,
    align(familyOf(word).map(summaryOf)),
    `\`${PROGRAM} ${word} <command> --help\` shows the options and examples of a command.`,
  ].join('\n\n')
}

function commandHelp(command: Command): string {
  const { arguments: args, options, examples, summary } = command
  const meanings = Object.entries(args).map(([name, { meaning }]) => [`  <${name}>`, meaning])
  const settings = Object.entries(options).map(([name, option]) => [
    `  ${labelOf(name, option)}`,
    option.meaning + noteOn(option),
  ])
  return [
    `Usage: ${usageOf(command)}`,
    `${summary}.`,
    ...(meanings.length === 0 ? [] : [`Arguments\n${align(meanings)}`]),
    ...(settings.length === 0 ? [] : [`Options\n${align(settings)}`]),
    ['Examples', ...examples.map(([line, effect]) => `  ${line}\n      ${effect}.`)].join('\n'),
  ].join('\n\n')
}

function summaryOf({ name, arguments: args, summary }: Command): string[] {
  return [`  ${[name, ...Object.keys(args).map((argument) => `<${argument}>`)].join(' ')}`, summary]
}

function labelOf(name: string, option: Flag | Setting): string {
  return 'kind' in option ? `--${name} <${option.value}>` : `--${name}`
}

function noteOn(option: Flag | Setting): string {
  if (!('kind' in option)) return ''
  if (option.required) return ' (required)'
  return option.default === undefined ? '' : ` (default: ${option.default})`
}
