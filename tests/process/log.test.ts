import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
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
