-- Keys, entries, journal marks, counters. Times are UTC milliseconds, money is integer nano-dollars.

CREATE TABLE keys (
    public_id TEXT NOT NULL PRIMARY KEY,
    name      TEXT NOT NULL,
    digest    BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    created   INTEGER NOT NULL,
    expires   INTEGER,
    revoked   INTEGER,
    last_used INTEGER
) STRICT;

-- A name is free again once its key is revoked, so that a key can be replaced under the same name.
CREATE UNIQUE INDEX keys_live_name ON keys (name) WHERE revoked IS NULL;

-- One row per attempt, a column per field of `Entry`, in its order. A table with rowids is the faster one here: ids sort
-- by time, so rows and both sides of the primary key are appended. No index but those that reports go by.
CREATE TABLE entries (
    call              TEXT NOT NULL,
    attempt           INTEGER NOT NULL,
    key               TEXT NOT NULL,
    route             TEXT NOT NULL,
    asked             TEXT NOT NULL,
    provider          TEXT NOT NULL,
    model             TEXT NOT NULL,
    status            TEXT NOT NULL,
    reason            TEXT NOT NULL,
    http_status       INTEGER NOT NULL,
    stream            INTEGER NOT NULL,
    final             INTEGER NOT NULL,
    started           INTEGER NOT NULL,
    dispatched        INTEGER NOT NULL,
    first_us          INTEGER NOT NULL,
    total_us          INTEGER NOT NULL,
    input             INTEGER NOT NULL,
    cache_read        INTEGER NOT NULL,
    cache_write_5m    INTEGER NOT NULL,
    cache_write_1h    INTEGER NOT NULL,
    audio_input       INTEGER NOT NULL,
    output            INTEGER NOT NULL,
    reasoning         INTEGER NOT NULL,
    audio_output      INTEGER NOT NULL,
    estimated         INTEGER NOT NULL,
    cost              INTEGER,
    price_version     TEXT NOT NULL,
    received          INTEGER NOT NULL,
    client_request_id TEXT NOT NULL,
    PRIMARY KEY (call, attempt)
) STRICT;

CREATE INDEX entries_started ON entries (started);

-- How far each journal segment has been shipped; written in the transaction that adds its entries.
CREATE TABLE journal_marks (
    segment TEXT NOT NULL PRIMARY KEY,
    shipped INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
    name  TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO counters (name, value) VALUES ('keys', 0);
