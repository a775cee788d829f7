import assert from 'node:assert/strict'
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { serveStore } from '../support/in-process.ts'
import { createReader, fetchDocument } from '../support/openapi.ts'
import { sampleEvents } from '../support/sample.ts'
import { get, postAll } from '../support/store.ts'
import { untilLogged } from '../support/log-lines.ts'

/** The examples of the document are those of a young store; here are replies that only an older one gives. */
describe('the document of an older store', { timeout: HANGS_AFTER_MS }, () => {
  const service = serveStore({ VERIFY_INTERVAL_S: '1' })
  before(async () => {
    await postAll(service.url, sampleEvents(1, 60, '2025-08-01', 3))
    await service.compact()
  })

  /** What its schema finds wrong with a reply. */
  async function faultsOf(path: string, value: unknown): Promise<unknown> {
    const document = await fetchDocument(service.url)
    const { content } = document.paths[path]!['get']!.responses['200']!
    return createReader(document)(content!['application/json']!.schema, value)
  }

  it('says of each cold day what GET /tiers says of it', async () => {
    const { json } = await get<{ cold: { days: Record<string, unknown>[] } }>(`${service.url}/tiers`)
    assert.equal(json.cold.days.length, 3)
    assert.deepEqual(await faultsOf('/tiers', json), [])
    delete json.cold.days[0]!['sealed_through']
    assert.notDeepEqual(await faultsOf('/tiers', json), [], 'no field may be missing')
  })

  it('says of damage what GET /readyz says of it', async () => {
    const { cold, staging } = service.layout
    renameSync(join(cold, service.listed()[0]!), join(staging, 'away.parquet'))
    await untilLogged(service, ({ msg }) => msg === 'the store is damaged')
    const { json } = await get<{ damage: unknown[] }>(`${service.url}/readyz`)
    assert.equal(json.damage.length, 1)
    assert.deepEqual(await faultsOf('/readyz', json), [])
  })
})
