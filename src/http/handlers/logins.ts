import type { Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { Logins } from '../../auth/logins.ts'
import { Problem } from '../../problem/problem.ts'
import type { Admission } from '../admission.ts'
import type { Handlers } from '../handler.ts'

/** A name and a password fit many times over. */
export const LOGIN_BODY_BYTES_MAX = 4_096

/** @param logins `register` is null where nobody may register: then no such route is served */
export function loginHandlers(
  { login, register }: { login: Logins['login']; register: Logins['register'] | null },
  addressOf: Admission['addressOf'],
): Handlers<'POST /auth/login' | 'POST /auth/register'> {
  const small = bodyLimit({
    maxSize: LOGIN_BODY_BYTES_MAX,
    onError() {
      throw new Problem('body_too_large', `A login has at most ${LOGIN_BODY_BYTES_MAX} bytes.`)
    },
  })
  return {
    'POST /auth/login': [
      small,
      async function postLogin(c) {
        const reply = await login(addressOf(c), await readJson(c), c.req.raw.signal)
        // RFC 6749, 5.1: what is a secret stays out of every cache.
        c.header('cache-control', 'no-store')
        return c.json(reply)
      },
    ],
    'POST /auth/register': [
      small,
      async function postRegister(c) {
        if (register === null) throw new Problem('not_found', 'Nobody may register here.')
        return c.json(await register(addressOf(c), await readJson(c), c.req.raw.signal), 201)
      },
    ],
  }
}

async function readJson(c: Context): Promise<unknown> {
  const [type] = (c.req.header('content-type') ?? '').split(';')
  if (type!.trim().toLowerCase() !== 'application/json') {
    throw new Problem('unsupported_media_type', 'Send Content-Type: application/json.')
  }
  const text = await c.req.text()
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message quotes the input, and a password with it.
    throw new Problem('not_json', 'The body could not be read as JSON.')
  }
}
