import type { Config } from '../config.ts'
import { nowMicros } from '../event/time.ts'
import { createBuckets } from '../limits/buckets.ts'
import type { Logger } from '../process/log.ts'
import type { Layout } from '../store/layout.ts'
import { openStoreForNotes, openStoreForReading } from '../store/sqlite.ts'
import { openGate } from './gate.ts'
import type { Gate } from './gate.ts'
import { createLastUse, lastUseWriter } from './last-use.ts'
import { createLogins, LOGINS_PER_ADDRESS, LOGINS_PER_NAME } from './logins.ts'
import type { Logins } from './logins.ts'
import { openSecret } from './secret.ts'
import { createTokens } from './token.ts'

/** Authentication, wired to one store. */
export interface Auth {
  gate: Gate
  /** Records that a key was used. */
  onKeyUse: (key: number) => void
  /** `register` is null unless ALLOW_REGISTRATION is set. */
  logins: Pick<Logins, 'login'> & { register: Logins['register'] | null }
  /** Call it before the writer closes: the last connection to close checkpoints the WAL. */
  close(): void
}

/** Clocks, so that tests can replace them. */
export interface AuthClocks {
  /** Monotonic, so that setting the wall clock does not change rate limits. */
  now_ms?: () => number
  /** Seconds since 1970. */
  now_s?: () => number
}

/** @param layout of a store with an up-to-date schema */
export function openAuth(
  config: Config,
  layout: Layout,
  log: Logger,
  { now_ms = () => performance.now(), now_s = () => Math.floor(Date.now() / 1_000) }: AuthClocks = {},
): Auth {
  const tokens = createTokens(
    openSecret(config.DATA_DIR, config.AUTH_JWT_SECRET),
    config.AUTH_TOKEN_LIFETIME_S,
    now_s,
  )
  const db = openStoreForReading(layout.database)
  const notes = openStoreForNotes(layout.database)
  const gate = openGate(db, tokens)
  const writeLastUse = lastUseWriter(notes)
  const lastUse = createLastUse({
    write(uses) {
      try {
        return writeLastUse(uses)
      } catch (err) {
        // Requests must not fail because last_used_at cannot be written.
        log.error({ err }, 'cannot write when API keys were last used')
        return uses.size
      }
    },
    now_us: nowMicros,
    now_ms,
    later(act, ms) {
      const timer = setTimeout(act, ms).unref()
      return () => clearTimeout(timer)
    },
  })
  const logins = createLogins({
    db,
    notes,
    tokens,
    per_address: createBuckets(LOGINS_PER_ADDRESS, now_ms),
    per_name: createBuckets(LOGINS_PER_NAME, now_ms),
    now_us: nowMicros,
  })
  return {
    gate,
    onKeyUse: (key) => lastUse.note(key),
    logins: { login: logins.login, register: config.ALLOW_REGISTRATION ? logins.register : null },
    close() {
      lastUse.close()
      notes.close()
      db.close()
    },
  }
}
