/** The tables of the store. */

/** Each entry brings the file from version `index` to `index + 1`. Never edit one that has shipped; add another. */
export const MIGRATIONS = [
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
  `
  -- Without the unique index of ids: which ids are there is known in memory (src/hot/ids.ts). SQLite takes such an index only from a new table.
  CREATE TABLE rows_of_events (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id    BLOB    NOT NULL CHECK (length(event_id) = 16),
    occurred_at INTEGER NOT NULL,
    user_id     TEXT    NOT NULL,
    event_type  TEXT    NOT NULL,
    properties  TEXT    NOT NULL,
    day         INTEGER NOT NULL GENERATED ALWAYS AS (occurred_at / 86400000000) VIRTUAL
  ) STRICT;
  INSERT INTO rows_of_events (seq, event_id, occurred_at, user_id, event_type, properties)
    SELECT seq, event_id, occurred_at, user_id, event_type, properties FROM events ORDER BY seq;
  -- The newest rows may be gone, and their seqs are not given again all the same.
  DELETE FROM sqlite_sequence WHERE name = 'rows_of_events';
  INSERT INTO sqlite_sequence (name, seq) SELECT 'rows_of_events', seq FROM sqlite_sequence WHERE name = 'events';
  DROP TABLE events;
  ALTER TABLE rows_of_events RENAME TO events;
  CREATE INDEX events_by_day ON events (day);
  `,
] as const

export const SCHEMA_VERSION = MIGRATIONS.length
