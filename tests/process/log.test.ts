import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { it } from 'node:test'
import { ROOT } from '../support/root.ts'

const SECRET = 'fl_Zebra-7f3a91'

it('the log never shows a key, not even where an error carries the headers of a request', () => {
  const script = `
    import { createLogger } from './src/process/log.ts'
    const headers = { authorization: '${SECRET}', 'x-api-key': '${SECRET}', cookie: '${SECRET}', accept: 'kept' }
    const err = Object.assign(new Error('failed'), { headers, request: { headers } })
    const log = createLogger('info')
    log.info({ headers }, 'one')
    log.info({ request: { headers } }, 'two')
    log.error({ err }, 'three')
    log.error(err)
  `
  const output = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    cwd: ROOT,
  })
  const lines = output.toString().trim().split('\n')
  assert.equal(lines.length, 4)
  for (const line of lines) {
    assert.ok(!line.includes(SECRET), line)
    assert.ok(line.includes('kept'), line)
  }
})
