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

/** All of it, wired to one store. */
export interface Auth {
  gate: Gate
  /** Notes that a key was used. */
  onKeyUse: (key: number) => void
  logins: Pick<Logins, 'login'> & { register: Logins['register'] | null }
  /** Before the writer closes: whoever closes a database last moves its log into it. */
  close(): void
}

/** The clocks, which a test puts its own in the place of. */
export interface AuthClocks {
  /** Never jumps: what is limited per second must not depend on what the wall clock is set to. */
  now_ms?: () => number
  /** Seconds since 1970. */
  now_s?: () => number
}

/** @param layout of a store whose schema is there */
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
        // A note that cannot be written is no reason to stop answering.
        log.error({ err }, 'the last use of keys cannot be written')
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
