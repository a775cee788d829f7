import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pino } from 'pino'
import { createMeters, sample } from '../../src/metrics/meters.ts'
import { createScrape } from '../../src/metrics/scrape.ts'

describe('a scrape', () => {
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) })

  it('is made once for all who ask while it is made, and anew for whoever comes later', async () => {
    let reads = 0
    const read = () => {
      reads += 1
      return [sample('frostline_disk_free_bytes', reads, {})]
    }
    const scrape = createScrape(createMeters(), [{ name: 'disk', read }], log)
    const [first, second] = await Promise.all([scrape(), scrape()])
    assert.match(first, /^frostline_disk_free_bytes 1$/m)
    assert.equal(second, first)
    assert.match(await scrape(), /^frostline_disk_free_bytes 2$/m)
  })

  it('says once that a source fails, and again when it fails anew', async () => {
    let fails = false
    const read = () => {
      if (fails) throw new Error('EIO')
      return []
    }
    const scrape = createScrape(createMeters(), [{ name: 'disk', read }], log)
    const said: number[] = []
    for (fails of [false, true, true, false, true, true]) {
      await scrape()
      said.push(lines.filter((line) => line.includes('"source":"disk"')).length)
    }
    assert.deepEqual(said, [0, 1, 1, 1, 2, 2])
  })
})
