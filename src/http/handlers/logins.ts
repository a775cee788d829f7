import type { Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { Logins } from '../../auth/logins.ts'
import { Problem } from '../../problem/problem.ts'
import type { Admission } from '../admission.ts'
import type { Handlers } from '../handler.ts'

/** Much more than a valid name and password need. */
export const LOGIN_BODY_BYTES_MAX = 4_096

/** @param logins `register` is null if registration is not allowed; its route is then not served */
export function loginHandlers(
  { login, register }: { login: Logins['login']; register: Logins['register'] | null },
  addressOf: Admission['addressOf'],
): Handlers<'POST /auth/login' | 'POST /auth/register'> {
  const small = bodyLimit({
    maxSize: LOGIN_BODY_BYTES_MAX,
    onError() {
      throw new Problem('body_too_large', `A login body may have at most ${LOGIN_BODY_BYTES_MAX} bytes.`)
    },
  })
  return {
    'POST /auth/login': [
      small,
      async function postLogin(c) {
        const reply = await login(addressOf(c), await readJson(c), c.req.raw.signal)
        // Required by RFC 6749, section 5.1.
        c.header('cache-control', 'no-store')
        return c.json(reply)
      },
    ],
    'POST /auth/register': [
      small,
      async function postRegister(c) {
        if (register === null) throw new Problem('not_found', 'Registration is not allowed.')
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
    // The parser's message is dropped: it quotes the input, which contains a password.
    throw new Problem('not_json', 'The body could not be read as JSON.')
  }
}
