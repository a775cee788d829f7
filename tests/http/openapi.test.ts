import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { createKey } from '../../src/auth/keys.ts'
import { hashPassword } from '../../src/auth/password.ts'
import { SCOPES } from '../../src/auth/scope.ts'
import { addUser } from '../../src/auth/users.ts'
import { readConfig } from '../../src/config.ts'
import {
  createEventSchema,
  EVENT_TYPE_CHARS_MAX,
  judgeEvent,
  USER_ID_CHARS_MAX,
} from '../../src/event/event.ts'
import { buildDocument } from '../../src/http/openapi/document.ts'
import { PROBLEMS } from '../../src/problem/problems.ts'
import { REGISTER, ROUTES } from '../../src/http/routes.ts'
import { nowMicros } from '../../src/event/time.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { serveStore } from '../support/in-process.ts'
import { createReader, examplesOf, fetchDocument, operationsOf, scopeOf } from '../support/openapi.ts'
import type { ApiDocument, ExampleRequest } from '../support/openapi.ts'
import { eventOf } from '../support/wire.ts'
import { ROOT } from '../support/root.ts'

/** Where the situations that no single request brings about are brought about. */
const TESTED_IN: Readonly<Record<string, string>> = {
  bad_request: 'http/edge.test.ts',
  unauthorized: 'auth/auth.test.ts',
  forbidden: 'auth/auth.test.ts',
  misdirected_request: 'http/open-store.test.ts',
  foreign_origin: 'http/open-store.test.ts',
  request_timeout: 'http/edge.test.ts',
  idempotency_key_in_use: 'ingest/idempotency.test.ts',
  nested_too_deep: 'ingest/formats.test.ts',
  body_too_large: 'ingest/post-body.test.ts',
  too_many_events: 'ingest/post-body.test.ts',
  url_too_long: 'http/edge.test.ts',
  rate_limited: 'http/caller-limits.test.ts',
  headers_too_large: 'http/edge.test.ts',
  internal: 'http/openapi.test.ts',
  cold_file_damaged: 'cold/damage.test.ts',
  query_failed: 'query/events.test.ts',
  queue_full: 'ingest/overload.test.ts',
  store_unavailable: 'crash/failing-wal.test.ts',
  validation_timeout: 'ingest/judging.test.ts',
  disk_full: 'ingest/disk.test.ts',
  logins_busy: 'auth/logins.test.ts',
  query_line_full: 'ingest/overload.test.ts',
  query_timeout: 'ingest/overload.test.ts',
  query_out_of_memory: 'query/memory.test.ts',
  not_ready: 'cold/damage.test.ts',
}

/** What no operation answers: one stands in the log alone, the other where there is no operation. */
const OF_NO_OPERATION = ['client_left', 'method_not_allowed']

const validate = (document: ApiDocument) => new Validator().validate({ ...structuredClone(document) })

const VOLATILE = ['took_ms', 'received_at', 'token']

/** The same but for what is another each time. */
function masked(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(masked)
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [key, VOLATILE.includes(key) ? typeof part : masked(part)]),
  )
}

const isJson = (type: string) => /^application\/(problem\+)?json$/.test(type)

describe('the document', { timeout: HANGS_AFTER_MS }, () => {
  const home = serveStore({ ALLOW_REGISTRATION: 'true' })
  let document: ApiDocument
  let faultsOf: ReturnType<typeof createReader>
  const keys = new Map<string, string>()
  before(async () => {
    const password_hash = await hashPassword('correct horse battery staple')
    home.inSqlite((db) => {
      for (const scope of SCOPES) keys.set(scope, createKey(db, 'test', [scope], nowMicros()).key)
      addUser(db, 'anna', password_hash, ['read'], nowMicros())
    })
    document = await fetchDocument(home.url)
    faultsOf = createReader(document)
  })

  async function send({ method, path, headers, body, body_base64 }: ExampleRequest, scope: string | null) {
    const response = await fetch(home.url + path, {
      method,
      headers: { ...headers, ...(scope === null ? {} : { authorization: `Bearer ${keys.get(scope)}` }) },
      body: body_base64 === undefined ? (body ?? null) : Buffer.from(body_base64, 'base64'),
    })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }

  it('is valid OpenAPI 3.1, says an independent validator', async () => {
    assert.match(document.openapi, /^3\.1\./)
    assert.deepEqual(await validate(document), { valid: true })
    const broken = structuredClone(document)
    Object.assign(broken.paths['/tiers']!['get']!, { responses: { okay: {} } })
    assert.equal((await validate(broken)).valid, false)
  })

  it('has an operation for each route, with its scope, and no other', () => {
    assert.deepEqual(
      operationsOf(document)
        .map(({ method, path, operation }) => ({ method, path, scope: scopeOf(operation) }))
        .toSorted(byRoute),
      ROUTES.map(({ method, path, scope }) => ({
        method,
        path: path.replaceAll(/:(\w+)/g, '{$1}'),
        scope,
      })).toSorted(byRoute),
    )
    const ids = operationsOf(document).map(({ operation }) => operation.operationId)
    assert.equal(new Set(ids).size, ids.length)
  })

  it('cannot be made while a route has no operation', () => {
    const routes = [...ROUTES, { method: 'GET', path: '/forgotten', scope: null }] as const
    assert.throws(() => buildDocument({ routes, limits: readConfig({}), version: '1' }), /GET \/forgotten/)
  })

  it('tells of every problem, with its status', () => {
    const told = new Map<string, number>()
    for (const { status, example } of examplesOf(document)) {
      const { type } = (example.value ?? {}) as { type?: string }
      if (status >= 400) told.set(type!.replace('/problems/', ''), status)
    }
    const known = Object.entries(PROBLEMS).filter(([code]) => !OF_NO_OPERATION.includes(code))
    assert.deepEqual(
      Object.fromEntries([...told].toSorted()),
      Object.fromEntries(known.map(([code, { status }]) => [code, status] as const).toSorted()),
    )
  })

  it('shows an example of every reply, with the request or the situation that leads to it', () => {
    for (const { method, path, operation } of operationsOf(document)) {
      for (const [status, { content, 'x-examples': bare }] of Object.entries(operation.responses)) {
        const examples = content === undefined ? [bare] : Object.values(content).map((part) => part.examples)
        for (const named of examples)
          assert.ok(Object.keys(named ?? {}).length > 0, `${method} ${path} ${status}`)
      }
    }
    for (const { title, example } of examplesOf(document)) {
      assert.ok('x-request' in example !== 'x-situation' in example, title)
    }
  })

  it('shows examples that are as the schemas beside them say', () => {
    for (const { title, type, schema, example } of examplesOf(document)) {
      if (type !== null && example.value !== undefined) {
        assert.deepEqual(faultsOf(schema, example.value), [], title)
      }
    }
    for (const { method, path, operation } of operationsOf(document)) {
      for (const { schema, examples = {} } of Object.values(operation.requestBody?.content ?? {})) {
        for (const [name, example] of Object.entries(examples)) {
          assert.deepEqual(
            faultsOf(schema, (example as { value: unknown }).value),
            [],
            `${method} ${path} ${name}`,
          )
        }
      }
    }
  })

  it('shows requests that get the replies beside them, with a key of just the scope that is told', async () => {
    let sent = 0
    for (const { title, scope, status, headers, type, schema, example } of examplesOf(document)) {
      const request = example['x-request']
      if (request === undefined) continue
      const reply = await send(request, scope)
      sent += 1
      assert.equal(reply.status, status, `${title}: ${reply.text}`)
      for (const name of headers) {
        if (document.components.headers[name]!.required)
          assert.ok(reply.headers.has(name), `${title}: ${name}`)
      }
      if (type === null) {
        assert.equal(reply.text, '', title)
        continue
      }
      assert.equal(reply.headers.get('content-type'), type, title)
      const value: unknown = isJson(type) ? JSON.parse(reply.text) : reply.text
      assert.deepEqual(faultsOf(schema, value), [], title)
      if (example.value !== undefined) assert.deepEqual(masked(value), masked(example.value), title)
    }
    assert.ok(sent >= 70, `${sent} examples were sent`)
  })

  it('tells in words of nothing but what other tests bring about', () => {
    const situations = Object.keys(document.components.examples)
    assert.deepEqual(situations.toSorted(), Object.keys(TESTED_IN).toSorted())
    for (const [code, file] of Object.entries(TESTED_IN)) {
      const expected = new RegExp(`['/]${code}'`)
      assert.match(readFileSync(join(ROOT, 'tests', file), 'utf8'), expected, `${code} in ${file}`)
    }
  })

  it('is what a caller meets who has no scope, or another', async () => {
    for (const { method, path, operation } of operationsOf(document)) {
      const scope = scopeOf(operation)
      const others = SCOPES.filter((held) => scope !== null && held !== scope && held !== 'admin')
      for (const held of scope === null ? [] : [null, ...others]) {
        const reply = await send({ method, path, headers: {} }, held)
        const title = `${method} ${path} with ${held}`
        assert.equal(reply.status, held === null ? 401 : 403, title)
        const { content } = operation.responses[reply.status]!
        assert.deepEqual(
          faultsOf(content!['application/problem+json']!.schema, JSON.parse(reply.text)),
          [],
          title,
        )
      }
    }
  })

  it('says of an event what the service judges, at each limit', () => {
    const schema = createEventSchema(nowMicros)
    const events = [
      eventOf({ user_id: 'é'.repeat(USER_ID_CHARS_MAX) }),
      eventOf({ user_id: '😀'.repeat(USER_ID_CHARS_MAX) }),
      eventOf({ user_id: '😀'.repeat(USER_ID_CHARS_MAX + 1) }),
      eventOf({ user_id: '' }),
      eventOf({ user_id: 0 }),
      eventOf({ user_id: 1.5 }),
      eventOf({ user_id: -Number.MAX_SAFE_INTEGER }),
      eventOf({ user_id: Number.MAX_SAFE_INTEGER }),
      eventOf({ user_id: 2 ** 53 }),
      eventOf({ user_id: null }),
      eventOf({ event_type: 'x'.repeat(EVENT_TYPE_CHARS_MAX) }),
      eventOf({ event_type: 'x'.repeat(EVENT_TYPE_CHARS_MAX + 1) }),
      eventOf({ event_type: '' }),
      eventOf({ event_id: '00000000-0000-0000-0000-00000000000G' }),
      eventOf({ event_id: 'FFFFFFFF-FFFF-4FFF-8FFF-FFFFFFFFFFFF' }),
      eventOf({ properties: {} }),
      eventOf({ properties: [] }),
      eventOf({ properties: null }),
      eventOf({ props: {} }),
      ...['event_id', 'occurred_at', 'user_id', 'event_type', 'properties'].map((field) =>
        eventOf({ [field]: undefined }),
      ),
      [],
      'app_open',
    ]
    for (const value of events.map((event): unknown => JSON.parse(JSON.stringify(event)))) {
      const faults = faultsOf({ $ref: '#/components/schemas/Event' }, value) as unknown[]
      assert.equal(
        faults.length === 0,
        'event' in judgeEvent(schema, value),
        JSON.stringify(value).slice(0, 200),
      )
    }
  })
})

describe('the document of a service that registers nobody', { timeout: HANGS_AFTER_MS }, () => {
  const home = serveStore()
  let document: ApiDocument
  before(async () => {
    document = await fetchDocument(home.url)
  })

  it('does not tell of registering', () => {
    const routes = new Set(ROUTES.map(({ path }) => path.replaceAll(/:(\w+)/g, '{$1}')))
    assert.ok(routes.delete(REGISTER))
    assert.deepEqual(new Set(Object.keys(document.paths)), routes)
  })

  it('tells of a failure of the service itself, which keeps the reason to its log', async () => {
    home.inSqlite((db) => db.exec('DROP TABLE dead_letters'))
    const reply = await fetch(`${home.url}/dead-letters`)
    const problem = (await reply.json()) as { type: string }
    assert.equal(reply.status, 500)
    assert.equal(problem.type, '/problems/internal')
    assert.ok(!JSON.stringify(problem).includes('table'))
    const { content } = document.paths['/dead-letters']!['get']!.responses['500']!
    const { schema } = content!['application/problem+json']!
    assert.deepEqual(createReader(document)(schema, problem), [])
  })
})

function byRoute(a: { method: string; path: string }, b: { method: string; path: string }): number {
  return `${a.path} ${a.method}` < `${b.path} ${b.method}` ? -1 : 1
}
