import { createKey, isKeyName, KEY_NAME_CHARS_MAX, listKeys, revokeKey } from '../auth/keys.ts'
import { formatScopes } from '../auth/scope.ts'
import type { Scope } from '../auth/scope.ts'
import { ConfigError } from '../config.ts'
import type { Config } from '../config.ts'
import { nowMicros } from '../event/time.ts'
import { openLayout } from '../store/layout.ts'
import { openStore } from '../store/sqlite.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { CommandError, EXIT } from './exit.ts'
import { formatInstant, printTable } from './table.ts'

/** Opens the store for one command, also while the service runs. */
export function withStore<T>(config: Config, act: (db: Sqlite) => T): T {
  const db = openStore(openLayout(config.DATA_DIR).database)
  try {
    return act(db)
  } finally {
    db.close()
  }
}

/** Prints the key alone to stdout, so that a shell can take it into a variable. */
export function createKeyCommand(config: Config, scopes: readonly Scope[], name: string): number {
  if (!isKeyName(name)) {
    throw new ConfigError(`--name must have 1 to ${KEY_NAME_CHARS_MAX} characters that can be printed`)
  }
  const { id, key } = withStore(config, (db) => createKey(db, name, scopes, nowMicros()))
  console.log(key)
  console.error(
    `Key ${id} (${formatScopes(scopes)}) is shown this once and can not be read again. From now on every request needs a key or a login.`,
  )
  return EXIT.done
}

/** Never the keys themselves: nobody has them but those they were shown to. */
export function listKeysCommand(config: Config, json: boolean): number {
  const keys = withStore(config, listKeys).map((row) => ({
    ...row,
    created_at: formatInstant(row.created_at),
    last_used_at: row.last_used_at === null ? null : formatInstant(row.last_used_at),
    revoked_at: row.revoked_at === null ? null : formatInstant(row.revoked_at),
  }))
  if (json) console.log(JSON.stringify({ keys }))
  else printTable(['id', 'name', 'scope', 'created_at', 'last_used_at', 'revoked_at'], keys)
  return EXIT.done
}

export function revokeKeyCommand(config: Config, id: string): number {
  if (!/^\d{1,15}$/.test(id)) throw new ConfigError('The id is a number; frostline keys list shows it.')
  const revoked = withStore(config, (db) => revokeKey(db, Number(id), nowMicros()))
  if (revoked === 0) throw new CommandError(`There is no key ${id} that is not revoked.`)
  console.log(`Key ${id} is revoked; a running service refuses it from now on.`)
  return EXIT.done
}
