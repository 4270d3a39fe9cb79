-- Organisations hold projects, projects hold keys. Each level has rules (JSON, see `encke.keys.grant.Rules`), and limits.
-- `changed` is the value that the counter `keys` had with a row's last change: who knows one version asks for what is new.

CREATE TABLE organisations (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    name     TEXT NOT NULL,
    created  INTEGER NOT NULL,
    archived INTEGER,
    expires  INTEGER,
    rules    TEXT NOT NULL DEFAULT '{}',
    changed  INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE UNIQUE INDEX organisations_live_name ON organisations (name) WHERE archived IS NULL;

CREATE TABLE projects (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    organisation INTEGER NOT NULL REFERENCES organisations (id),
    name         TEXT NOT NULL,
    created      INTEGER NOT NULL,
    archived     INTEGER,
    expires      INTEGER,
    rules        TEXT NOT NULL DEFAULT '{}',
    changed      INTEGER NOT NULL DEFAULT 0
) STRICT;

-- A project's name is enough to find it: no two live ones have the same, whatever their organisations.
CREATE UNIQUE INDEX projects_live_name ON projects (name) WHERE archived IS NULL;

INSERT INTO organisations (id, name, created) VALUES (1, 'default', 0);
INSERT INTO projects (id, organisation, name, created) VALUES (1, 1, 'default', 0);

ALTER TABLE keys ADD COLUMN project INTEGER NOT NULL DEFAULT 1;
ALTER TABLE keys ADD COLUMN rules TEXT NOT NULL DEFAULT '{}';
ALTER TABLE keys ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;

CREATE INDEX keys_changed ON keys (changed);
CREATE INDEX keys_project ON keys (project) WHERE revoked IS NULL;

-- A rotated key's earlier secrets: the last one is good until its time of grace is over, those before it (`until` 0) no more.
CREATE TABLE old_secrets (
    digest    BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    public_id TEXT NOT NULL,
    until     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX old_secrets_key ON old_secrets (public_id);

-- Budgets (`amount` in nano-dollars) and rates. An id is never used again: accounts and leases are kept under it.
CREATE TABLE limits (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    level   TEXT NOT NULL CHECK (level IN ('organisation', 'project', 'key')),
    owner   TEXT NOT NULL,
    kind    TEXT NOT NULL CHECK (kind IN ('budget', 'requests', 'tokens', 'concurrency')),
    amount  INTEGER NOT NULL CHECK (amount >= 0),
    period  TEXT NOT NULL DEFAULT 'total' CHECK (period IN ('total', 'credit', 'day', 'week', 'month')),
    zone    TEXT NOT NULL DEFAULT 'UTC',
    anchor  INTEGER NOT NULL DEFAULT 1,
    strict  INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    removed INTEGER,
    changed INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX limits_owner ON limits (level, owner) WHERE removed IS NULL;
CREATE INDEX limits_changed ON limits (changed);
