import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import Database from 'better-sqlite3'
import { createKey } from '../src/auth/keys.ts'
import { hashPassword } from '../src/auth/password.ts'
import type { Scope } from '../src/auth/scope.ts'
import { addUser } from '../src/auth/users.ts'
import { readConfig } from '../src/config.ts'
import { buildDocument } from '../src/openapi/document.ts'
import { ROUTES } from '../src/routes.ts'
import { nowMicros } from '../src/time.ts'
import type { InProcessStore } from './in-process.ts'
import { operationsOf, scopeOf } from './openapi.ts'
import type { ApiDocument } from './openapi.ts'
import { eventOf } from './wire.ts'

export const HANGS_AFTER_MS = 600_000
export const JSON_TYPE = { 'content-type': 'application/json' }
export const JWT_SECRET = 'a secret of thirty-two letters..'
export const PASSWORD = 'correct horse battery staple'
export const KEY = /^fl_[A-Za-z0-9_-]{43}$/

export interface Answer {
  status: number
  headers: Headers
  json: Record<string, unknown>
  text: string
}

export async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init)
  const text = await response.text()
  const isJson = text !== '' && (response.headers.get('content-type') ?? '').includes('json')
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson ? (JSON.parse(text) as Record<string, unknown>) : {},
  }
}

export const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` })
export const postJson = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { ...JSON_TYPE, ...headers },
  body: JSON.stringify(body),
})

export function assertProblem({ status, headers, json, text }: Answer, expected: number, code: string) {
  assert.equal(status, expected, text)
  assert.equal(json['type'], `/problems/${code}`)
  assert.equal(headers.get('content-type'), 'application/problem+json')
  if (expected === 401 || expected === 403) {
    assert.match(headers.get('www-authenticate')!, /^Bearer realm="frostline"/)
  }
}

/** Clocks that stand until they are moved. */
export function createClocks() {
  const clocks = { ms: 5_000, s: 1_800_000_000 }
  return {
    seams: { now_ms: () => clocks.ms, now_s: () => clocks.s },
    pass(ms: number) {
      clocks.ms += ms
      clocks.s += ms / 1_000
    },
    setWallClock(s: number) {
      clocks.s = s
    },
    get s() {
      return clocks.s
    },
  }
}

export const makeKeyIn = (home: InProcessStore, ...scopes: Scope[]) =>
  home.inSqlite((db) => createKey(db, 'test', scopes, nowMicros()))

export async function addUserIn(home: InProcessStore, name: string, ...scopes: Scope[]) {
  const password_hash = await hashPassword(PASSWORD)
  assert.equal(
    home.inSqlite((db) => addUser(db, name, password_hash, scopes, nowMicros())),
    1,
  )
}

export const login = (
  url: string,
  username: string,
  password = PASSWORD,
  headers: Record<string, string> = {},
) => ask(`${url}/auth/login`, postJson({ username, password }, headers))

export const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Signs what the service itself would never sign. */
export function forge(header: object, payload: object, secret = JWT_SECRET): string {
  const text = `${encoded(header)}.${encoded(payload)}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

export const batch = (count: number) =>
  Array.from({ length: count }, () => eventOf({ event_type: 'limited' }))

/** As another process that writes. */
export function holdWriteLock(path: string) {
  const db = new Database(path)
  db.exec('BEGIN IMMEDIATE')
  return {
    db,
    end() {
      db.exec('ROLLBACK')
      db.close()
    },
  }
}

/** Every route, as clients are told of it. */
export const document = buildDocument({
  routes: ROUTES,
  limits: readConfig({}),
  version: '0',
}) as unknown as ApiDocument
export const routesOf = (described: ApiDocument) =>
  operationsOf(described).map(({ method, path, operation }) => ({ method, path, scope: scopeOf(operation) }))

export const never = () => Promise.reject(new Error('not asked'))
