import { closeSync, openSync } from 'node:fs'
import Database from 'better-sqlite3'

/** The only file that opens SQLite: the pragmas that the durability promise rests on, and the schema. */

export type Sqlite = Database.Database

/** Another process commits in milliseconds; whoever waits longer than this is told so. */
const BUSY_TIMEOUT_MS = 15_000
const PAGE_BYTES = 16_384
/** 16,000 pages of 16 KiB: fewer checkpoints than SQLite's default, and a log of at most about 250 MiB. */
const CHECKPOINT_PAGES = 16_000
const WAL_BYTES_KEPT = 64 * 1024 * 1024

/** Each entry brings the file from version `index` to `index + 1`. Never edit one that has shipped; add another. */
const MIGRATIONS = [
  `
  CREATE TABLE events (
    -- AUTOINCREMENT: a seq is never given twice, even after the highest rows were collected. The visibility rule needs that.
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id    BLOB    NOT NULL UNIQUE CHECK (length(event_id) = 16),
    occurred_at INTEGER NOT NULL, -- microseconds since 1970
    user_id     TEXT    NOT NULL,
    event_type  TEXT    NOT NULL,
    properties  TEXT    NOT NULL, -- JSON
    day         INTEGER NOT NULL GENERATED ALWAYS AS (occurred_at / 86400000000) VIRTUAL
  ) STRICT;
  CREATE INDEX events_by_day ON events (day);

  -- A cold file is visible if and only if it stands here.
  CREATE TABLE cold_files (
    path      TEXT    PRIMARY KEY, -- relative to the folder of cold files
    day       INTEGER NOT NULL,
    rows      INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    min_ts    INTEGER NOT NULL,
    max_ts    INTEGER NOT NULL,
    checksum  TEXT    NOT NULL,    -- SHA-256 of the file, hex
    id_digest TEXT    NOT NULL,    -- order-free digest of its event ids
    origin    TEXT    NOT NULL CHECK (origin IN ('compaction', 'merge', 'import'))
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX cold_files_by_day ON cold_files (day);

  -- A hot row is visible if and only if its seq is greater than its day's sealed_through.
  CREATE TABLE cold_days (
    day            INTEGER PRIMARY KEY,
    sealed_through INTEGER NOT NULL,
    generation     INTEGER NOT NULL
  ) STRICT;

  -- Files that a merge replaced: invisible, but a running question may still read them.
  CREATE TABLE replaced_files (
    path        TEXT    PRIMARY KEY,
    replaced_at INTEGER NOT NULL -- microseconds since 1970
  ) STRICT, WITHOUT ROWID;

  -- One row. The generation grows with every change of what is visible in cold.
  CREATE TABLE catalog (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    generation INTEGER NOT NULL
  ) STRICT;
  INSERT INTO catalog (id, generation) VALUES (1, 0);
  `,
  `
  -- The index of cold ids. A store that had cold files before has none yet; whoever needs it makes it from them.
  CREATE TABLE id_segments (
    path      TEXT    PRIMARY KEY, -- relative to the folder of segments
    ids       INTEGER NOT NULL,
    checksum  TEXT    NOT NULL,    -- SHA-256 of the file, hex
    id_digest TEXT    NOT NULL     -- order-free digest of its ids
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE dead_letters (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at  INTEGER NOT NULL, -- microseconds since 1970
    source       TEXT    NOT NULL, -- who sent it
    path         TEXT    NOT NULL, -- the field that was wrong
    message      TEXT    NOT NULL,
    event_id     TEXT,
    is_cut       INTEGER NOT NULL,
    bytes        INTEGER NOT NULL, -- of the body
    bytes_before INTEGER NOT NULL, -- of all bodies before this one
    body         TEXT    NOT NULL  -- JSON; last, so that the others are read without it
  ) STRICT;

  CREATE TABLE idempotency_keys (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    owner       TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL, -- SHA-256 of what was asked
    reply       TEXT    NOT NULL, -- JSON
    created_at  INTEGER NOT NULL, -- microseconds since 1970
    UNIQUE (owner, key)
  ) STRICT;
  `,
  `
  -- Who may come in. Keys and passwords are not kept, only what proves that somebody has them.
  CREATE TABLE api_keys (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    hash         BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32), -- SHA-256
    name         TEXT    NOT NULL,
    scope        TEXT    NOT NULL, -- with spaces between several
    created_at   INTEGER NOT NULL, -- microseconds since 1970, as all times here
    last_used_at INTEGER,
    revoked_at   INTEGER
  ) STRICT;

  CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    subject       TEXT    NOT NULL UNIQUE, -- what a token names: random, so no later user and no other store has it
    name          TEXT    NOT NULL UNIQUE,
    scope         TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,        -- Argon2id
    created_at    INTEGER NOT NULL
  ) STRICT;

  -- One row from the first key or user on. Never taken back: a store does not open itself when its last user is removed.
  CREATE TABLE gate (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    closed_at INTEGER NOT NULL
  ) STRICT;
  CREATE TRIGGER first_key AFTER INSERT ON api_keys BEGIN
    INSERT INTO gate (id, closed_at) VALUES (1, NEW.created_at) ON CONFLICT DO NOTHING;
  END;
  CREATE TRIGGER first_user AFTER INSERT ON users BEGIN
    INSERT INTO gate (id, closed_at) VALUES (1, NEW.created_at) ON CONFLICT DO NOTHING;
  END;
  `,
  `
  -- Files whose import was committed, so that the same bytes need not be imported again.
  CREATE TABLE imported_files (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    bytes            INTEGER NOT NULL,
    checksum         TEXT    NOT NULL, -- SHA-256 of the file, hex
    name             TEXT    NOT NULL, -- without its folder
    imported_at      INTEGER NOT NULL, -- microseconds since 1970
    rows             INTEGER NOT NULL,
    rejected         INTEGER NOT NULL,
    rejects_checksum TEXT,             -- SHA-256 of the list of rejected rows, hex; null if there were none
    UNIQUE (bytes, checksum)
  ) STRICT;
  `,
] as const

export const SCHEMA_VERSION = MIGRATIONS.length

/** The data was written by a newer program. */
export class NewerStoreError extends Error {
  override name = 'NewerStoreError'
}

/** Opens the store for writing; makes or upgrades its schema. */
export function openStore(path: string): Sqlite {
  makeForOwner(path)
  const db = new Database(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    refuseNewer(userVersion(db), path)
    db.pragma(`page_size = ${PAGE_BYTES}`)
    db.pragma('journal_mode = WAL')
    // better-sqlite3 sets NORMAL for WAL files, which syncs only at checkpoints: a 200 would not survive a power cut.
    db.pragma('synchronous = FULL')
    db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
    db.pragma(`journal_size_limit = ${WAL_BYTES_KEPT}`)
    db.pragma('cache_size = -65536')
    migrate(db, path)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/**
 * Makes the file if it is missing, for its owner alone: it holds what passwords and keys hash to. SQLite gives the files beside it the same mode.
 * One that exists is not even opened, because closing it would take this process's locks away from SQLite.
 */
function makeForOwner(path: string): void {
  try {
    closeSync(openSync(path, 'ax', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Opens an existing store for reading alone. */
export function openStoreForReading(path: string): Sqlite {
  const db = new Database(path, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS })
  try {
    refuseNewer(userVersion(db), path)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/**
 * Opens an existing store for small writes on a thread that must not wait: while somebody else writes they fail with SQLITE_BUSY, and
 * they are not synced. A process that dies loses none of them; a power cut may.
 */
export function openStoreForNotes(path: string): Sqlite {
  const db = new Database(path, { fileMustExist: true, timeout: 0 })
  try {
    refuseNewer(userVersion(db), path)
    db.pragma('synchronous = NORMAL')
    // A checkpoint syncs and copies; the writer makes them.
    db.pragma('wal_autocheckpoint = 0')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function userVersion(db: Sqlite): number {
  return db.pragma('user_version', { simple: true }) as number
}

function refuseNewer(version: number, path: string): void {
  if (version <= SCHEMA_VERSION) return
  throw new NewerStoreError(
    `${path} has schema version ${version}, and this program knows versions up to ${SCHEMA_VERSION}. ` +
      'Start the newer program that wrote it; nothing was changed.',
  )
}

function migrate(db: Sqlite, path: string): void {
  if (userVersion(db) === SCHEMA_VERSION) return
  refuseNewer(userVersion(db), path)
  // Another process may be upgrading the same file: look again under the write lock.
  db.transaction(() => {
    const from = userVersion(db)
    refuseNewer(from, path)
    for (const step of MIGRATIONS.slice(from)) db.exec(step)
    db.pragma(`user_version = ${SCHEMA_VERSION}`)
  }).immediate()
}
