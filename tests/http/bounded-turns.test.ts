import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { createKey } from '../../src/auth/keys.ts'
import { LETTER_BYTES_MAX } from '../../src/dead-letters/letter.ts'
import { LETTERS_LISTED_MAX } from '../../src/dead-letters/desk.ts'
import { IdDigest } from '../../src/event/id.ts'
import { QUESTIONS } from '../../src/questions/table.ts'
import { ROUTES, nameOf } from '../../src/http/routes.ts'
import type { RouteName } from '../../src/http/routes.ts'
import { EVENTS_LIMIT_MAX } from '../../src/query/events-parameters.ts'
import { openLayout } from '../../src/store/layout.ts'
import { openStore } from '../../src/store/sqlite.ts'
import type { Sqlite } from '../../src/store/sqlite.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { createTestStore } from '../support/store.ts'
import type { ServiceProcess, TestStore } from '../support/store.ts'
import { eventOf } from '../support/wire.ts'

const LETTERS = 100_000
const COLD_FILES = 5_000
const KEYS = 10_000
const HOT_EVENTS = 10_000
/** All turns of one request together: no one of them can then be longer. */
const CPU_MS_MAX = 50
/** What is written to the socket costs by its size, in the kernel, and in turns of its own. */
const CPU_MS_PER_MIB = 10
/** One fast one is enough: the first compiles the code, and another may collect the garbage of the one before. */
const TRIES = 12

/** A store as large as its limits allow, made by SQL in a second. */
function fillStore(db: Sqlite): string {
  const big = JSON.stringify('x'.repeat(LETTER_BYTES_MAX - 2))
  const nested = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
  const fill = db.transaction(() => {
    db.exec(`
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${LETTERS})
      INSERT INTO dead_letters (received_at, source, path, message, event_id, is_cut, events_omitted, bytes, body)
        SELECT i, 'key/' || (i % 1000), CASE i % 3 WHEN 0 THEN 'user_id' ELSE 'occurred_at' END,
               CASE i % 2 WHEN 0 THEN 'is missing' ELSE 'is wrong' END, NULL, 0, 0, 300, '"' || hex(zeroblob(149)) || '"'
        FROM n;
      INSERT INTO dead_letter_sources SELECT source, count(*), sum(bytes) FROM dead_letters GROUP BY source;
      UPDATE dead_letter_totals SET letters = ${LETTERS}, bytes = ${LETTERS * 300};
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${COLD_FILES})
      INSERT INTO cold_files (path, day, rows, bytes, min_ts, max_ts, checksum, id_digest, origin)
        SELECT 'day=' || i || '/1.parquet', i, 0, 1, 0, 0, hex(randomblob(32)), '${new IdDigest().toString()}', 'compaction' FROM n;
      INSERT INTO cold_days SELECT day, 0, 1 FROM cold_files;
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${KEYS})
      INSERT INTO api_keys (hash, name, scope, created_at) SELECT randomblob(32), 'key ' || i, 'read', 1 FROM n;
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${HOT_EVENTS})
      INSERT INTO events (event_id, occurred_at, user_id, event_type, properties)
        SELECT randomblob(16), 1754006400000000 + i, 'user ' || i, 'type ' || (i % 1500),
               '{"note":"' || hex(zeroblob(390)) || '"}' FROM n;`)
    const body = db.prepare('UPDATE dead_letters SET body = ? WHERE id = ?')
    body.run(big, 1)
    body.run(nested, 2)
  })
  fill()
  return createKey(db, 'a test', ['admin'], 1).key
}

type Request = [path: string, body?: unknown, type?: string]

const OWN_PARAMETERS: Readonly<Record<string, string>> = {
  trend: '&interval=hour&group_by=event_type&groups=100',
  funnel: '&step=event_type:a&step=event_type:b',
  paths: '&start=user_id+exists&depth=10&top=20',
  'event-types': '&limit=1000',
  properties: '&limit=1000',
  'property-values': '&property=properties.a&limit=1000',
}

/** Of each route the requests that could take long; a new route does not compile without. */
const REQUESTS: Record<RouteName, readonly Request[]> = {
  'POST /events': [['/events', [eventOf()]]],
  'GET /events': (['json', 'ndjson', 'csv'] as const).map((format) => [
    `/events?from=2025-08-01&to=2025-08-01&limit=${EVENTS_LIMIT_MAX[format]}&format=${format}`,
  ]),
  'GET /dead-letters': [
    '',
    '&reason=nothing',
    '&reason=user_id',
    '&reason=is%20missing',
    '&reason=is%20missing&cursor=50000',
  ].map((filter) => [`/dead-letters?limit=${LETTERS_LISTED_MAX}${filter}`]),
  'GET /dead-letters/:id': [['/dead-letters/1'], ['/dead-letters/2'], ['/dead-letters/3']],
  'POST /dead-letters/:id/replay': [
    ['/dead-letters/1/replay'],
    ['/dead-letters/2/replay'],
    ['/dead-letters/3/replay'],
  ],
  'DELETE /dead-letters/:id': [['/dead-letters/4']],
  'GET /stats/dau': [['/stats/dau?from=2020-01-01&to=2029-12-31']],
  'GET /stats/top-events': [['/stats/top-events?from=2025-08-01&to=2025-08-01&limit=1000']],
  'GET /stats/retention': [['/stats/retention?start_date=2025-08-01&windows=366']],
  ...Object.fromEntries(
    // lifecycle reads every day, and the cold files of this store are only names.
    QUESTIONS.filter(({ name }) => !['dau', 'top-events', 'retention', 'lifecycle'].includes(name)).map(
      ({ name }) => {
        const own = OWN_PARAMETERS[name] ?? ''
        return [`GET /stats/${name}`, [[`/stats/${name}?from=2025-07-01&to=2025-08-31${own}`]]]
      },
    ),
  ),
  'GET /tiers': [['/tiers']],
  'GET /metrics': [['/metrics']],
  'GET /': [['/']],
  'GET /livez': [['/livez']],
  'GET /readyz': [['/readyz']],
  'GET /openapi.json': [['/openapi.json']],
  'GET /docs': [['/docs']],
  'GET /problems': [['/problems']],
  'GET /problems/:code': [['/problems/unauthorized']],
  'GET /docs/:file': [['/docs/docs.js']],
  'POST /auth/login': [['/auth/login', { username: 'nobody', password: 'wrong password' }]],
  'POST /auth/register': [['/auth/register', { username: 'somebody', password: 'a password' }]],
}

describe('a full store', { timeout: HANGS_AFTER_MS }, () => {
  let store: TestStore
  let service: ServiceProcess
  let key: string
  before(async () => {
    store = createTestStore()
    const db = openStore(openLayout(store.data_dir).database)
    key = fillStore(db)
    db.close()
    service = await store.serve({ VERIFY_INTERVAL_S: '0' })
  })
  after(() => store.remove())

  /** What the thread that answers HTTP has used. */
  const cpuNs = () =>
    Number(readFileSync(`/proc/${service.pid}/task/${service.pid}/schedstat`, 'utf8').split(' ')[0])

  for (const route of ROUTES) {
    it(`costs the event loop little: ${nameOf(route)}`, async (t) => {
      for (const [path, body] of REQUESTS[nameOf(route)] ?? []) {
        let ms = Infinity
        let most_ms = 0
        let status = 0
        for (let n = 0; n < TRIES && ms >= most_ms; n += 1) {
          const began = cpuNs()
          const reply = await fetch(service.url + path, {
            method: route.method,
            headers: {
              'x-api-key': key,
              ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            },
            ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          })
          const bytes = (await reply.arrayBuffer()).byteLength
          ms = (cpuNs() - began) / 1e6
          most_ms = CPU_MS_MAX + (CPU_MS_PER_MIB * bytes) / 2 ** 20
          status = reply.status
        }
        t.diagnostic(`${path}: ${status}, ${ms.toFixed(1)} ms`)
        assert.ok(status < 500 && status !== 400, `${path}: ${status}`)
        assert.ok(ms < most_ms, `${path}: ${ms} ms, and not ${most_ms}`)
      }
    })
  }
})
