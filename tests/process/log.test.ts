import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { programOf } from '../support/build.ts'
import { ROOT } from '../support/root.ts'

const SECRET = 'fl_Zebra-7f3a91'

it('the log never shows a key, not even where an error carries the headers of a request', () => {
  const program = programOf('src/process/log.ts')
  const script = `
    import { createLogger } from '${pathToFileURL(program.pop()!).href}'
    const headers = { authorization: '${SECRET}', 'x-api-key': '${SECRET}', cookie: '${SECRET}', accept: 'kept' }
    const err = Object.assign(new Error('failed'), { headers, request: { headers } })
    const log = createLogger('info')
    log.info({ headers }, 'one')
    log.info({ request: { headers } }, 'two')
    log.error({ err }, 'three')
    log.error(err)
  `
  const output = execFileSync(process.execPath, [...program, '--input-type=module', '-e', script], {
    cwd: ROOT,
  })
  const lines = output.toString().trim().split('\n')
  assert.equal(lines.length, 4)
  for (const line of lines) {
    assert.ok(!line.includes(SECRET), line)
    assert.ok(line.includes('kept'), line)
  }
})

const LOG = programOf('src/process/log.ts')

/** What a script prints that has a `log`, created with these arguments. */
function scriptOf(created: string, body: string): string[] {
  const url = pathToFileURL(LOG.at(-1)!).href
  const script = `import { createLogger } from '${url}'\nconst log = createLogger(${created})\n${body}`
  return [...LOG.slice(0, -1), '--input-type=module', '-e', script]
}

it('a line of text has the time, the level, the message, the fields and the stack', () => {
  const body = `log.info({ url: 'http://h:1', note: 'a b', days: [1], none: null }, 'listening')
    log.error({ err: new Error('odd \u001b[31m') }, 'failed')
    log.warn(new Error('alone'))`
  const printed = execFileSync(process.execPath, scriptOf(`'info', 1, 'text'`, body), {
    cwd: ROOT,
  }).toString()
  const lines = printed.split('\n')
  assert.match(
    lines[0]!,
    /^\d\d:\d\d:\d\d\.\d{3} INFO {2}listening url=http:\/\/h:1 note="a b" days=\[1\] none=null$/,
  )
  assert.match(lines[1]!, / ERROR failed$/)
  assert.equal(lines[2], 'Error: odd \\x1b[31m')
  assert.match(lines[3]!, /^ +at /)
  assert.ok(lines.some((line) => / WARN {2}alone$/.test(line)))
})

it('lines are text on a terminal, and JSON elsewhere or if wanted', (t) => {
  const hello = `log.info('hello')`
  const json = execFileSync(process.execPath, scriptOf(`'info'`, hello), { cwd: ROOT }).toString()
  assert.equal((JSON.parse(json) as { msg: string }).msg, 'hello')
  const onTerminal = (created: string) => {
    const words = [process.execPath, ...scriptOf(created, hello)].map(
      (word) => `'${word.replaceAll("'", `'\\''`)}'`,
    )
    return spawnSync('script', ['-qec', words.join(' '), '/dev/null'], { cwd: ROOT, encoding: 'utf8' })
  }
  const { error, stdout } = onTerminal(`'info'`)
  if (error !== undefined) return t.skip('no program script here')
  assert.match(stdout, / INFO {2}hello\r?\n/)
  assert.match(onTerminal(`'info', 1, 'json'`).stdout, /"msg":"hello"/)
})
