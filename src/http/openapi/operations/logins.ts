import { LOGIN_SCHEMA } from '../../../auth/logins.ts'
import { PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN } from '../../../auth/password.ts'
import { USER_NAME_CHARS_MAX, USER_NAME_RULE } from '../../../auth/users.ts'
import type { Config } from '../../../config.ts'
import { LOGIN_BODY_BYTES_MAX } from '../../handlers/logins.ts'
import { jsonSchemaOf } from '../json-schema.ts'
import type { Json } from '../json-schema.ts'
import { jsonBody, jsonReply, refusal } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { ref } from '../schemas.ts'

/** `/auth/login` and `/auth/register`. */

const LOGIN = { username: 'anna', password: 'correct horse battery staple' }
const REGISTRATION = { ...LOGIN, username: 'ben' }

const loginSchema = jsonSchemaOf(LOGIN_SCHEMA)
/** Stricter than LOGIN_SCHEMA: the service checks both fields by itself, to report all errors together. */
const registrationSchema: Json = {
  ...loginSchema,
  properties: {
    username: {
      type: 'string',
      minLength: 1,
      maxLength: USER_NAME_CHARS_MAX,
      description: `${USER_NAME_RULE}.`,
    },
    password: { type: 'string', minLength: PASSWORD_CHARS_MIN, maxLength: PASSWORD_CHARS_MAX },
  },
}

const mistakes = {
  broken_login: {
    summary: 'Broken JSON',
    body: { type: 'application/json', text: '{"username":' },
    ...refusal('not_json', 'The body could not be read as JSON.'),
  },
  login_as_form: {
    summary: 'A form instead of JSON',
    body: { type: 'application/x-www-form-urlencoded', text: 'username=anna' },
    ...refusal('unsupported_media_type', 'Send Content-Type: application/json.'),
  },
  login_without_password: {
    summary: 'The password is missing',
    body: jsonBody({ username: 'anna' }),
    ...refusal('invalid_login', 'Send {"username":"…","password":"…"} and nothing else.'),
  },
}

export function postLogin({ AUTH_TOKEN_LIFETIME_S }: Config): Operation {
  return {
    id: 'logIn',
    tag: 'logins',
    summary: 'Log in with name and password',
    description: `Returns a token. Send it like a key; it expires after ${AUTH_TOKEN_LIFETIME_S} seconds. The body may have at most ${LOGIN_BODY_BYTES_MAX} bytes.`,
    body: { required: true, content: { 'application/json': loginSchema } },
    replies: { 200: { description: 'A token.', content: { 'application/json': ref('Token') } } },
    problems: ['body_too_large', 'rate_limited', 'logins_busy'],
    examples: {
      logged_in: {
        summary: 'A token with the scope of the user',
        body: jsonBody(LOGIN),
        ...jsonReply({
          token: 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl',
          token_type: 'Bearer',
          expires_in_s: AUTH_TOKEN_LIFETIME_S,
          scope: 'read',
        }),
      },
      ...mistakes,
      wrong_password: {
        summary: 'A wrong password or an unknown name',
        body: jsonBody({ ...LOGIN, password: 'incorrect horse battery staple' }),
        ...refusal('unauthorized', 'The name or the password is wrong.'),
      },
    },
  }
}

export const postRegister: Operation = {
  id: 'register',
  tag: 'logins',
  summary: 'Register a user with the scope read',
  description: 'Available if the operator sets `ALLOW_REGISTRATION=true`.',
  body: { required: true, content: { 'application/json': registrationSchema } },
  replies: {
    201: {
      description: 'The user is created and can log in.',
      content: { 'application/json': ref('Registered') },
    },
  },
  problems: ['body_too_large', 'rate_limited', 'logins_busy', 'store_unavailable'],
  examples: {
    registered: {
      summary: 'A new user',
      body: jsonBody(REGISTRATION),
      ...jsonReply({ username: 'ben', scope: 'read' }),
      status: 201,
    },
    ...mistakes,
    taken: {
      summary: 'The name is taken',
      body: jsonBody(REGISTRATION),
      ...refusal('name_taken', 'Choose another name.'),
    },
    short_password: {
      summary: 'A password that is too short',
      body: jsonBody({ username: 'cara', password: 'short' }),
      ...refusal('invalid_login', 'Choose another name or password.', {
        errors: [
          {
            path: 'password',
            message: `a password has ${PASSWORD_CHARS_MIN} to ${PASSWORD_CHARS_MAX} characters`,
          },
        ],
      }),
    },
  },
}
