/** The SQLite schema and its migrations. */

/**
 * Entry `n` migrates from version `n` to `n + 1`.
 * Never change the schema in a released entry; append a new one.
 */
export const MIGRATIONS = [
  `
  CREATE TABLE events (
    -- AUTOINCREMENT: a seq is never reused, even after the newest rows are deleted. The visibility rule
    -- needs that.
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id    BLOB    NOT NULL UNIQUE CHECK (length(event_id) = 16),
    occurred_at INTEGER NOT NULL, -- microseconds since 1970
    user_id     TEXT    NOT NULL,
    event_type  TEXT    NOT NULL,
    properties  TEXT    NOT NULL, -- JSON
    day         INTEGER NOT NULL GENERATED ALWAYS AS (occurred_at / 86400000000) VIRTUAL
  ) STRICT;
  CREATE INDEX events_by_day ON events (day);

  -- A cold file is visible if and only if it is listed here.
  CREATE TABLE cold_files (
    path      TEXT    PRIMARY KEY, -- relative to the cold folder
    day       INTEGER NOT NULL,
    rows      INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    min_ts    INTEGER NOT NULL,
    max_ts    INTEGER NOT NULL,
    checksum  TEXT    NOT NULL,    -- SHA-256 of the file, hex
    id_digest TEXT    NOT NULL,    -- order-independent digest of its event ids
    origin    TEXT    NOT NULL CHECK (origin IN ('compaction', 'merge', 'import'))
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX cold_files_by_day ON cold_files (day);

  -- A hot row is visible if and only if its seq is greater than its day's sealed_through.
  CREATE TABLE cold_days (
    day            INTEGER PRIMARY KEY,
    sealed_through INTEGER NOT NULL,
    generation     INTEGER NOT NULL
  ) STRICT;

  -- Files that a merge replaced: invisible, but a running query may still read them.
  CREATE TABLE replaced_files (
    path        TEXT    PRIMARY KEY,
    replaced_at INTEGER NOT NULL -- microseconds since 1970
  ) STRICT, WITHOUT ROWID;

  -- One row. The generation grows with every change of the catalog.
  CREATE TABLE catalog (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    generation INTEGER NOT NULL
  ) STRICT;
  INSERT INTO catalog (id, generation) VALUES (1, 0);
  `,
  `
  -- The index of cold ids. If the store already has cold files, it is built when it is first needed.
  CREATE TABLE id_segments (
    path      TEXT    PRIMARY KEY, -- relative to the ids folder
    ids       INTEGER NOT NULL,
    checksum  TEXT    NOT NULL,    -- SHA-256 of the file, hex
    id_digest TEXT    NOT NULL     -- order-independent digest of its ids
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE dead_letters (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at  INTEGER NOT NULL, -- microseconds since 1970
    source       TEXT    NOT NULL, -- who sent it
    path         TEXT    NOT NULL, -- the invalid field
    message      TEXT    NOT NULL,
    event_id     TEXT,
    is_cut       INTEGER NOT NULL,
    bytes        INTEGER NOT NULL, -- of the body
    bytes_before INTEGER NOT NULL, -- sum over all earlier bodies
    body         TEXT    NOT NULL  -- JSON; last, so that the other columns are read without it
  ) STRICT;

  CREATE TABLE idempotency_keys (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    owner       TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL, -- SHA-256 of the request
    reply       TEXT    NOT NULL, -- JSON
    created_at  INTEGER NOT NULL, -- microseconds since 1970
    UNIQUE (owner, key)
  ) STRICT;
  `,
  `
  -- Credentials. Keys and passwords are stored only as hashes.
  CREATE TABLE api_keys (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    hash         BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32), -- SHA-256
    name         TEXT    NOT NULL,
    scope        TEXT    NOT NULL, -- separated by spaces
    created_at   INTEGER NOT NULL, -- microseconds since 1970, like all times here
    last_used_at INTEGER,
    revoked_at   INTEGER
  ) STRICT;

  CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    subject       TEXT    NOT NULL UNIQUE, -- subject of the tokens; random, so never reused in any store
    name          TEXT    NOT NULL UNIQUE,
    scope         TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,        -- Argon2id
    created_at    INTEGER NOT NULL
  ) STRICT;

  -- One row, inserted with the first key or user and never deleted: removing the last user does not unlock
  -- the store.
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
  -- Imported files, so that the same bytes are not imported again.
  CREATE TABLE imported_files (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    bytes            INTEGER NOT NULL,
    checksum         TEXT    NOT NULL, -- SHA-256 of the file, hex
    name             TEXT    NOT NULL, -- without its folder
    imported_at      INTEGER NOT NULL, -- microseconds since 1970
    rows             INTEGER NOT NULL,
    rejected         INTEGER NOT NULL,
    rejects_checksum TEXT,             -- SHA-256 of the rejects file, hex; null if no row was rejected
    UNIQUE (bytes, checksum)
  ) STRICT;
  `,
  `
  -- Drops UNIQUE on event_id: ids are checked in memory (src/hot/ids.ts). SQLite can drop the constraint only
  -- by rebuilding the table.
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
  -- The newest rows may have been deleted, and their seqs must still not be reused.
  DELETE FROM sqlite_sequence WHERE name = 'rows_of_events';
  INSERT INTO sqlite_sequence (name, seq) SELECT 'rows_of_events', seq FROM sqlite_sequence WHERE name = 'events';
  DROP TABLE events;
  ALTER TABLE rows_of_events RENAME TO events;
  CREATE INDEX events_by_day ON events (day);
  `,
  `
  -- Counts dead letters by source, so that eviction is fair and metrics need no scan. The counts are kept by
  -- src/dead-letters/shelf.ts: a trigger for each row would take ten times as long. The table is rebuilt because
  -- the body must stay its last column.
  CREATE TABLE rows_of_dead_letters (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at    INTEGER NOT NULL,
    source         TEXT    NOT NULL,
    path           TEXT    NOT NULL,
    message        TEXT    NOT NULL,
    event_id       TEXT,
    is_cut         INTEGER NOT NULL,
    events_omitted INTEGER NOT NULL, -- rejected events that the letter counts; 0 if it holds an event
    bytes          INTEGER NOT NULL,
    body           TEXT    NOT NULL
  ) STRICT;
  INSERT INTO rows_of_dead_letters
    SELECT id, received_at, source, path, message, event_id, is_cut, 0, bytes, body FROM dead_letters ORDER BY id;
  DELETE FROM sqlite_sequence WHERE name = 'rows_of_dead_letters';
  INSERT INTO sqlite_sequence (name, seq)
    SELECT 'rows_of_dead_letters', seq FROM sqlite_sequence WHERE name = 'dead_letters';
  DROP TABLE dead_letters;
  ALTER TABLE rows_of_dead_letters RENAME TO dead_letters;
  CREATE INDEX dead_letters_by_source ON dead_letters (source);
  CREATE INDEX dead_letters_by_path ON dead_letters (path);
  CREATE INDEX dead_letters_by_message ON dead_letters (message);

  CREATE TABLE dead_letter_sources (
    source  TEXT    PRIMARY KEY,
    letters INTEGER NOT NULL,
    bytes   INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO dead_letter_sources SELECT source, count(*), sum(bytes) FROM dead_letters GROUP BY source;
  CREATE INDEX dead_letter_sources_by_letters ON dead_letter_sources (letters);
  CREATE INDEX dead_letter_sources_by_bytes ON dead_letter_sources (bytes);
  -- One row.
  CREATE TABLE dead_letter_totals (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    letters INTEGER NOT NULL,
    bytes   INTEGER NOT NULL
  ) STRICT;
  INSERT INTO dead_letter_totals SELECT 1, count(*), coalesce(sum(bytes), 0) FROM dead_letters;
  `,
  `
  -- The users of cold files. Numbers grow in the order in which users are first sealed, and none is given twice.
  CREATE TABLE user_numbers (
    user_id TEXT    PRIMARY KEY,
    uid     INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  -- One row.
  CREATE TABLE user_numbering (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    next INTEGER NOT NULL
  ) STRICT;
  INSERT INTO user_numbering (id, next) VALUES (1, 1);

  -- What a cold file knows of its events, in all and by event type. Questions read a file that has no sets.
  CREATE TABLE file_sets (
    path       TEXT    NOT NULL,
    event_type TEXT    NOT NULL, -- empty for all events
    events     INTEGER NOT NULL,
    users      INTEGER NOT NULL,
    checksum   TEXT    NOT NULL, -- SHA-256, see src/sets/coding.ts
    uids       BLOB    NOT NULL, -- sorted numbers of the users, their differences as LEB128; last, so that counts are read without it
    UNIQUE (path, event_type)
  ) STRICT;
  `,
] as const

export const SCHEMA_VERSION = MIGRATIONS.length
