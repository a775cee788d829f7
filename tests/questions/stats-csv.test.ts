import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import papaparse from 'papaparse'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { serveStore } from '../support/in-process.ts'
import { get, post } from '../support/store.ts'
import { eventOf } from '../support/wire.ts'

const ODD = 'a,"b"\r\n=1+1'
const RANGE = 'from=2025-08-01&to=2025-08-02'
const QUESTIONS = {
  dau: `/stats/dau?${RANGE}`,
  top: `/stats/top-events?${RANGE}`,
  retention: '/stats/retention?start_date=2025-08-01&windows=2&window=day',
} as const

describe('an answer as CSV', { timeout: HANGS_AFTER_MS }, () => {
  const store = serveStore()
  before(async () => {
    await post(`${store.url}/events`, [
      eventOf({ event_type: ODD }),
      eventOf({ event_type: ODD, user_id: 'u2' }),
      eventOf({ occurred_at: '2025-08-02T00:00:00Z' }),
    ])
  })

  async function ask(path: string, accept?: string) {
    const response = await fetch(store.url + path, accept === undefined ? {} : { headers: { accept } })
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      vary: response.headers.get('vary'),
      text: await response.text(),
    }
  }

  it('has a header and a line for every entry of the data', async () => {
    const texts = {
      dau: 'date,dau,incomplete\r\n2025-08-01,2,\r\n2025-08-02,1,\r\n',
      top: `event_type,count\r\n"a,""b""\r\n=1+1",2\r\napp_open,1\r\n`,
      retention:
        'window,from,to,users,rate,cohort_size,incomplete\r\n1,2025-08-02,2025-08-02,1,0.5,2,\r\n2,2025-08-03,2025-08-03,0,0,2,\r\n',
    }
    for (const [name, path] of Object.entries(QUESTIONS)) {
      const { status, type, text } = await ask(`${path}&format=csv`)
      assert.equal(status, 200)
      assert.equal(type, 'text/csv; charset=utf-8; header=present')
      assert.equal(text, texts[name as keyof typeof texts])
      assert.equal((await ask(path, 'text/csv')).text, text)
      const { json } = await get<{ data: Record<string, unknown>[]; cohort_size?: number }>(store.url + path)
      const { data } = papaparse.parse<Record<string, string>>(text, { header: true, skipEmptyLines: true })
      const { cohort_size } = json
      assert.deepEqual(
        data,
        json.data
          .map((entry) => (cohort_size === undefined ? entry : { ...entry, cohort_size }))
          .map((entry) => (name === 'top' ? entry : { ...entry, incomplete: '' }))
          .map((entry) => Object.fromEntries(Object.entries(entry).map(([k, v]) => [k, String(v)]))),
      )
    }
  })

  it('is given to those who ask for it by name, and JSON to all others', async () => {
    const csv = [
      'text/csv',
      'TEXT/CSV',
      'text/csv;q=0.1',
      'text/csv, */*',
      'application/json;q=0.5, text/csv',
      'text/csv; header=present; q=0.5',
    ]
    const json = [
      undefined,
      '*/*',
      '',
      'text/*',
      'application/json',
      'application/json, text/csv;q=0.9',
      'text/csv;q=0',
      'text/csv;q=x',
      'text/html,application/xhtml+xml,*/*;q=0.8',
    ]
    for (const accept of csv) assert.match((await ask(QUESTIONS.dau, accept)).type!, /^text\/csv/, accept)
    for (const accept of json)
      assert.match((await ask(QUESTIONS.dau, accept)).type!, /^application\/json/, accept)
    assert.match((await ask(`${QUESTIONS.dau}&format=json`, 'text/csv')).type!, /json/)
    assert.match((await ask(`${QUESTIONS.dau}&format=csv`, 'application/json')).type!, /csv/)
    for (const accept of ['text/csv', '*/*']) assert.equal((await ask(QUESTIONS.dau, accept)).vary, 'Accept')
  })

  it('is refused in a format that there is not, and errors stay problems', async () => {
    for (const path of Object.values(QUESTIONS)) {
      for (const format of ['xml', '', 'CSV', 'csv&format=csv', 'json&format=csv']) {
        const { status, type, text } = await ask(`${path}&format=${format}`)
        assert.equal(status, 400, format)
        assert.equal(type, 'application/problem+json')
        const { errors } = JSON.parse(text) as { errors: { path: string }[] }
        assert.deepEqual(
          errors.map((e) => e.path),
          ['format'],
        )
      }
    }
    const wrong = await ask('/stats/dau?from=2025-08-01&format=csv', 'text/csv')
    assert.deepEqual([wrong.status, wrong.type], [400, 'application/problem+json'])
  })
})
