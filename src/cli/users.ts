import { hashPassword, passwordFault } from '../auth/password.ts'
import { formatScopes } from '../auth/scope.ts'
import type { Scope } from '../auth/scope.ts'
import { addUser, listUsers, removeUser } from '../auth/users.ts'
import { nowMicros } from '../event/time.ts'
import { openLayout } from '../store/layout.ts'
import { CommandError, EXIT } from './command.ts'
import type { Context } from './command.ts'
import { readPassword } from './password.ts'
import { instant, table } from './people.ts'
import { withStore } from './store.ts'

export async function addUserCommand(
  { config, answer }: Context,
  { name }: { name: string },
  { scope: scopes }: { scope: readonly Scope[] },
): Promise<number> {
  const password = await readPassword()
  const fault = passwordFault(password)
  if (fault !== null) throw new CommandError(`No user was added: ${fault}.`)
  const password_hash = await hashPassword(password)
  const added = withStore(openLayout(config.DATA_DIR), (db) =>
    addUser(db, name, password_hash, scopes, nowMicros()),
  )
  if (added === 0) throw new CommandError(`User ${name} exists already.`)
  const scope = formatScopes(scopes)
  answer(
    { name, scope },
    () => `User ${name} (${scope}) can log in. From now on every request needs a key or a login.`,
  )
  return EXIT.done
}

export async function listUsersCommand({ config, answer }: Context): Promise<number> {
  const data = withStore(openLayout(config.DATA_DIR), listUsers).map((row) => ({
    ...row,
    created_at: instant(row.created_at),
  }))
  answer({ data }, () => table(['name', 'scope', 'created_at'], data))
  return EXIT.done
}

export async function removeUserCommand(
  { config, answer }: Context,
  { name }: { name: string },
): Promise<number> {
  const removed = withStore(openLayout(config.DATA_DIR), (db) => removeUser(db, name))
  if (removed === 0) throw new CommandError(`User ${name} does not exist.`)
  answer(
    { name, removed: true },
    () => `User ${name} is removed. A running service rejects their tokens from now on.`,
  )
  return EXIT.done
}
