import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { serveStore } from '../support/in-process.ts'
import { sampleEvents } from '../support/sample.ts'
import { get, post } from '../support/store.ts'
import { eventOf } from '../support/wire.ts'

describe('a request whose ids are in cold', { timeout: HANGS_AFTER_MS }, () => {
  const home = serveStore()

  it('is passed by the requests of others while its cold files are read', async () => {
    const old = sampleEvents(1, 20, '2025-08-01', 1)
    await post(`${home.url}/events`, old)
    await home.compact()
    const file = join(home.layout.cold, home.listed()[0]!)
    // Whoever opens a pipe for reading waits until somebody opens it for writing.
    renameSync(file, `${file}.aside`)
    execFileSync('mkfifo', [file])
    let answered = false
    const waiting = post(`${home.url}/events`, old).finally(() => {
      answered = true
    })
    for (let turn = 0; turn < 10; turn += 1) await get(`${home.url}/livez`)
    const passing = await post(`${home.url}/events`, [eventOf()])
    assert.equal(passing.json['accepted'], 1)
    assert.equal(answered, false)

    renameSync(file, `${file}.pipe`)
    renameSync(`${file}.aside`, file)
    // For reading too, so that it does not wait itself.
    closeSync(openSync(`${file}.pipe`, 'r+'))
    const { json } = await waiting
    assert.deepEqual([json['accepted'], json['duplicates']], [0, old.length])
  })
})
