import { createKey, listKeys, revokeKey } from '../auth/keys.ts'
import { formatScopes } from '../auth/scope.ts'
import type { Scope } from '../auth/scope.ts'
import { nowMicros } from '../event/time.ts'
import { openLayout } from '../store/layout.ts'
import { CommandError, EXIT } from './command.ts'
import type { Context } from './command.ts'
import { instant, table } from './people.ts'
import { withStore } from './store.ts'

export async function createKeyCommand(
  { config, answer, note }: Context,
  _: object,
  { scope: scopes, name }: { scope: readonly Scope[]; name: string },
): Promise<number> {
  const { id, key } = withStore(openLayout(config.DATA_DIR), (db) => createKey(db, name, scopes, nowMicros()))
  const scope = formatScopes(scopes)
  // The key alone on stdout, so that a shell can take it into a variable.
  answer({ id, name, scope, key }, () => key)
  note(`Key ${id} (${scope}) is shown only this once. From now on every request needs a key or a login.`)
  return EXIT.done
}

export async function listKeysCommand({ config, answer }: Context): Promise<number> {
  const data = withStore(openLayout(config.DATA_DIR), listKeys).map((row) => ({
    ...row,
    created_at: instant(row.created_at),
    last_used_at: row.last_used_at === null ? null : instant(row.last_used_at),
    revoked_at: row.revoked_at === null ? null : instant(row.revoked_at),
  }))
  answer({ data }, () => table(['id', 'name', 'scope', 'created_at', 'last_used_at', 'revoked_at'], data))
  return EXIT.done
}

export async function revokeKeyCommand({ config, answer }: Context, { id }: { id: number }): Promise<number> {
  const revoked = withStore(openLayout(config.DATA_DIR), (db) => revokeKey(db, id, nowMicros()))
  if (revoked === 0) throw new CommandError(`Key ${id} does not exist or is revoked already.`)
  answer({ id, revoked: true }, () => `Key ${id} is revoked. A running service rejects it from now on.`)
  return EXIT.done
}
