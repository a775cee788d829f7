import assert from 'node:assert/strict'
import { createKey } from '../../src/auth/keys.ts'
import { hashPassword } from '../../src/auth/password.ts'
import type { Scope } from '../../src/auth/scope.ts'
import { addUser } from '../../src/auth/users.ts'
import { nowMicros } from '../../src/event/time.ts'
import type { InProcessStore } from './in-process.ts'

/** What the tests of keys, logins and limits share. */

export const JSON_TYPE = { 'content-type': 'application/json' }

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
