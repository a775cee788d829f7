import { command, JSON_FLAG as json } from './command.ts'
import type { Command } from './command.ts'
import { ID, KEY_NAME, SCOPE_LIST, USER_NAME } from './kinds.ts'

/** The table's commands for keys and users. */

const scope = {
  value: 'scope',
  kind: SCOPE_LIST,
  meaning: 'ingest, read or admin; or several, separated by commas',
  required: true,
} as const
const user = { kind: USER_NAME, meaning: 'Name of the user; upper and lower case are the same' }

export const ACCESS_COMMANDS: readonly Command[] = [
  command({
    name: 'keys create',
    group: 'Access',
    summary: 'Create an API key and print it once',
    options: {
      scope,
      name: { value: 'name', kind: KEY_NAME, meaning: 'What the key is for', required: true },
      json,
    },
    examples: [
      ['frostline keys create --scope admin --name me', 'Prints a key that may do everything'],
      [
        'frostline keys create --scope ingest,read --name web',
        'Prints a key that may send events and query them',
      ],
    ],
    load: async () => (await import('./keys.ts')).createKeyCommand,
  }),
  command({
    name: 'keys list',
    group: 'Access',
    summary: 'List the API keys and when each was last used',
    options: { json },
    examples: [
      ['frostline keys list', 'Prints a table; the keys themselves are never shown again'],
      ['frostline keys list --json', 'Prints {"data":[…]}'],
    ],
    load: async () => (await import('./keys.ts')).listKeysCommand,
  }),
  command({
    name: 'keys revoke',
    group: 'Access',
    summary: 'Revoke an API key; requests with it fail at once',
    arguments: { id: { kind: ID, meaning: 'Id of the key, from `frostline keys list`' } },
    options: { json },
    examples: [
      ['frostline keys revoke 2', 'Revokes key 2; a running service needs no restart'],
      ['frostline keys revoke 2 --json', 'Prints {"id":2,"revoked":true}'],
    ],
    load: async () => (await import('./keys.ts')).revokeKeyCommand,
  }),
  command({
    name: 'users add',
    group: 'Access',
    summary: 'Add a user; the password is read from the terminal or stdin',
    arguments: { name: user },
    options: { scope, json },
    examples: [
      ['frostline users add anna --scope read', 'Asks for the password twice'],
      ['frostline users add anna --scope read < password.txt', 'Reads the password from a file'],
    ],
    load: async () => (await import('./users.ts')).addUserCommand,
  }),
  command({
    name: 'users list',
    group: 'Access',
    summary: 'List the users',
    options: { json },
    examples: [
      ['frostline users list', 'Prints a table of names and scopes'],
      ['frostline users list --json', 'Prints {"data":[…]}'],
    ],
    load: async () => (await import('./users.ts')).listUsersCommand,
  }),
  command({
    name: 'users remove',
    group: 'Access',
    summary: 'Remove a user; their tokens fail at once',
    arguments: { name: user },
    options: { json },
    examples: [
      ['frostline users remove anna', 'Removes the user; a running service needs no restart'],
      ['frostline users remove anna --json', 'Prints {"name":"anna","removed":true}'],
    ],
    load: async () => (await import('./users.ts')).removeUserCommand,
  }),
]
