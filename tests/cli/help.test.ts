import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { GROUPS } from '../../src/cli/command.ts'
import { COMMANDS } from '../../src/cli/commands.ts'
import { findCommand } from '../../src/cli/find.ts'
import { usageOf } from '../../src/cli/help.ts'
import { parseWords } from '../../src/cli/parse.ts'
import { runHere } from './terminal.ts'

const LINES_MAX = 40
const COLUMNS_MAX = 100

// No line here gets as far as its command. The environment is read after the words: wrong usage is reported first.
const run = (...words: string[]) => runHere(words, { PORT: 'none' })

async function helpOf(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...words)
  assert.deepEqual([code, stderr], [0, ''], words.join(' '))
  for (const line of stdout.split('\n')) assert.ok(line.length <= COLUMNS_MAX, line)
  return stdout
}

/** How many lines begin with this, after two spaces. */
const linesWith = (text: string, start: string) =>
  text.split('\n').filter((line) => line.startsWith(`  ${start}  `)).length

const labelOf = (name: string, args: object) =>
  [name, ...Object.keys(args).map((argument) => `<${argument}>`)].join(' ')

describe('help', () => {
  it('lists each command once, with its summary, below its group', async () => {
    const help = await helpOf('--help')
    assert.ok(help.split('\n').length <= LINES_MAX)
    let group = ''
    const listed = help.split('\n').flatMap((line) => {
      if ((GROUPS as readonly string[]).includes(line)) group = line
      const [, label, summary] = /^ {2}(\S.*?) {2,}(.+)$/.exec(line) ?? []
      return label === undefined ? [] : [[group, label, summary]]
    })
    assert.deepEqual(
      listed,
      COMMANDS.map(({ group: of, name, arguments: args, summary }) => [of, labelOf(name, args), summary]),
    )
    assert.equal(await helpOf('help'), help)
    assert.equal(await helpOf('-h'), help)
  })

  it('lists the commands that begin with a word', async () => {
    for (const word of ['keys', 'users', 'dead-letters']) {
      const help = await helpOf(word, '--help')
      for (const { name, arguments: args } of COMMANDS)
        assert.equal(linesWith(help, labelOf(name, args)) > 0, name.startsWith(`${word} `), name)
      assert.equal(await helpOf('help', word), help)
      assert.deepEqual(await run(word), { code: 2, stdout: '', stderr: help })
    }
    assert.deepEqual(await run(), { code: 2, stdout: '', stderr: await helpOf('--help') })
  })

  it('shows the usage, options with their defaults, and the examples of each command', async () => {
    for (const command of COMMANDS) {
      const words = command.name.split(' ')
      const help = await helpOf(...words, '--help')
      assert.equal(await helpOf('help', ...words), help)
      assert.ok(help.startsWith(`Usage: ${usageOf(command)}\n\n${command.summary}.\n`), help)
      const [, options = ''] = /^Options\n((?: {2}.*\n)*)/m.exec(help) ?? []
      const listed = [...options.matchAll(/^ {2}--([a-z-]+)(?: <[a-z]+>)? +\S.*?(?: \(default: (.*)\))?$/gm)]
      assert.deepEqual(
        listed.map(([, name, value]) => [name, value]),
        Object.entries(command.options).map(([name, option]) => [
          name,
          'default' in option ? option.default : undefined,
        ]),
      )
      for (const [line, effect] of command.examples) assert.ok(help.includes(`  ${line}\n      ${effect}.\n`))
    }
  })

  it('has only examples that parse', () => {
    for (const { name, examples } of COMMANDS) {
      assert.equal(new Set(examples.map(([line]) => line)).size, examples.length, name)
      for (const [line] of examples) {
        const words = line.replace(/^.*(?<!\/)frostline /, '').replace(/ <.*$/, '')
        const found = findCommand(words.split(' '))
        assert.ok(found !== null && 'command' in found && found.command.name === name, line)
        parseWords(found.command, found.rest)
      }
    }
  })

  it('prints the version', async () => {
    assert.match(await helpOf('--version'), /^frostline \d+\.\d+\.\d+\n$/)
    assert.equal(await helpOf('-v'), await helpOf('--version'))
  })
})

/** Registers a test: this line is wrong usage, and the messages match what stderr says. */
function refuses(title: string, line: string | readonly string[], ...messages: readonly RegExp[]): void {
  it(title, async () => {
    const { code, stdout, stderr } = await run(...(typeof line === 'string' ? line.split(' ') : line))
    assert.deepEqual([code, stdout], [2, ''], stderr)
    for (const message of messages) assert.match(stderr, message)
    assert.doesNotMatch(stderr, /zebra/i)
    assert.doesNotMatch(stderr, /PORT must/)
  })
}

/** What is made of the words after a command's name. */
function given(name: string, ...words: string[]) {
  return parseWords(
    COMMANDS.find((command) => command.name === name)!,
    words,
  )
}

describe('wrong usage', () => {
  refuses(
    'suggests the command of a misspelt word',
    'tier',
    /^Unknown command `tier`\. Did you mean `tiers`\?/,
  )
  refuses('suggests nothing that is far away', 'install', /^Unknown command `install`\.\n/)
  refuses(
    'suggests and lists the verbs',
    'keys crate',
    /`keys crate`\. .* `keys create`\?\n.*: create, list, revoke\./,
  )
  refuses('suggests the first of two words', 'user list', /Did you mean `users`\?/)
  refuses('suggests also when help is asked for', 'help tier', /Did you mean `tiers`\?/)
  refuses(
    'shows the usage if an argument is missing',
    'import',
    /^`import` needs <file>\.\nUsage: frostline import <file> /,
  )
  refuses(
    'shows the usage if there are too many',
    'tiers zebra',
    /^Too many .*\nUsage: frostline tiers \[--json\] \[--data-dir <folder>\]$/m,
  )
  refuses(
    'shows the usage if an option is missing',
    'keys create --name x',
    /needs --scope\.\nUsage: .* --scope <scope>/,
  )
  refuses(
    'suggests and lists the options',
    'verify --dep',
    /`--dep`\. .* `--deep`\?\n.* --deep, --json, --data-dir\./,
  )
  refuses('knows no option of others', 'serve --json', /`serve` takes --port, --host, --data-dir\./)
  refuses(
    'reads options as the variables they stand for',
    'serve --port 70000',
    /^--port must be a whole number from 0 to 65535\./,
  )
  refuses('takes no empty folder', ['tiers', '--data-dir='], /^--data-dir must not be empty\./)
  refuses('knows no negated flags', 'tiers --no-json', /Unknown option `--no-json`/)
  refuses('knows no short options', 'tiers -j', /Unknown option/)
  refuses('needs the value of an option', 'compact --wait --json', /^--wait needs a value\.\nUsage:/)
  refuses('takes no value for a flag', 'tiers --json=Zebra', /^--json takes no value\./)
  refuses('takes an option once', 'keys create --scope read --scope Zebra --name x', /only once/)
  refuses('takes a flag once', 'tiers --json --json', /only once/)
  refuses(
    'names the rule of an option',
    'compact --wait Zebra',
    /^--wait must be a number of seconds from 0 to 86400\./,
  )
  for (const days of ['7', '366', 'Zebra'])
    refuses(
      `loads no demo of ${days} days`,
      `demo --days ${days}`,
      /^--days must be a number of days from 8 to 365\./,
    )
  refuses('names the rule of an argument', 'keys revoke Zebra', /^<id> must be a number\./)
  refuses('reads no number of another notation', 'keys revoke --json 1e3', /^<id> must be/)
  refuses('takes no empty value', ['import', ''], /^<file> must not be empty\./)
  refuses('repeats no secret in place of a command', 'Zebra-7f3a91', /^Unknown command\./)
  refuses('repeats no secret in place of a verb', 'keys Zebra-7f3a91', /^Unknown command\./)
  refuses('repeats no secret in place of an option', 'users list --Zebra-7f3a91', /^Unknown option\./)
  refuses('repeats no secret after an option', 'users add anna --password=Zebra-7f3a91', /`--password`/)
  refuses('repeats no secret in place of an argument', 'users add anna Zebra-7f3a91', /^Too many arguments/)

  it('leaves values as they are written', () => {
    const nameIn = (...words: string[]) => given('keys create', '--scope', 'read', ...words).options['name']
    for (const name of ['007', '1e3', 'true', 'a=b', '=', 'x']) assert.equal(nameIn('--name', name), name)
    assert.equal(nameIn('--name=-x'), '-x')
    assert.deepEqual(given('import', '--json', '--', '--odd.csv').arguments['file'], ['--odd.csv'])
    assert.deepEqual(given('import', '--json', '007', 'b').arguments['file'], ['007', 'b'])
    const { options } = given('import', '--time-format=epoch_s', '--extra-columns', 'properties', 'b')
    assert.deepEqual([options['time-format'], options['extra-columns']], ['epoch_s', 'properties'])
  })

  it('is reported before a wrong setting', async () => {
    const { code, stderr } = await run('tiers')
    assert.equal(code, 2)
    assert.match(stderr, /^PORT must be/)
  })
})
