import { hashPassword, passwordFault } from '../auth/password.ts'
import { formatScopes } from '../auth/scope.ts'
import type { Scope } from '../auth/scope.ts'
import { addUser, listUsers, readUserName, removeUser, USER_NAME_RULE } from '../auth/users.ts'
import { ConfigError } from '../config.ts'
import type { Config } from '../config.ts'
import { nowMicros } from '../event/time.ts'
import { CommandError, EXIT } from './exit.ts'
import { withStore } from './keys.ts'
import { readPassword } from './password.ts'
import { formatInstant, printTable } from './table.ts'

export async function addUserCommand(
  config: Config,
  text: string,
  scopes: readonly Scope[],
): Promise<number> {
  const name = readName(text)
  const password = await readPassword()
  const fault = passwordFault(password)
  if (fault !== null) throw new CommandError(`${fault}; nobody was added`)
  const password_hash = await hashPassword(password)
  const added = withStore(config, (db) => addUser(db, name, password_hash, scopes, nowMicros()))
  if (added === 0) throw new CommandError(`There is a user ${name} already.`)
  console.log(
    `User ${name} (${formatScopes(scopes)}) may log in. From now on every request needs a key or a login.`,
  )
  return EXIT.done
}

export function listUsersCommand(config: Config, json: boolean): number {
  const users = withStore(config, listUsers).map((row) => ({
    ...row,
    created_at: formatInstant(row.created_at),
  }))
  if (json) console.log(JSON.stringify({ users }))
  else printTable(['name', 'scope', 'created_at'], users)
  return EXIT.done
}

export function removeUserCommand(config: Config, text: string): number {
  const name = readName(text)
  if (withStore(config, (db) => removeUser(db, name)) === 0)
    throw new CommandError(`There is no user ${name}.`)
  console.log(`User ${name} is removed; a running service refuses their tokens from now on.`)
  return EXIT.done
}

function readName(text: string): string {
  const name = readUserName(text)
  if (name === null) throw new ConfigError(USER_NAME_RULE)
  return name
}
