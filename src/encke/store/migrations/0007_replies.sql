-- Calls that were made under an Idempotency-Key, for as long as their answers are given again. `name` is a digest of the
-- key's id, the route and the Idempotency-Key, `asked` one of what was asked; both SHA-256. `epoch` is the worker that runs
-- it, 0 when it is over. Where `state` is 'kept' the answer lies in the data folder, as a file named by `call`.
CREATE TABLE replies (
    name    BLOB NOT NULL PRIMARY KEY CHECK (length(name) = 32),
    asked   BLOB NOT NULL CHECK (length(asked) = 32),
    call    TEXT NOT NULL,
    epoch   INTEGER NOT NULL,
    created INTEGER NOT NULL,
    state   TEXT NOT NULL CHECK (state IN ('running', 'kept', 'large', 'dropped', 'lost')),
    size    INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX replies_created ON replies (created);
CREATE INDEX replies_kept ON replies (created) WHERE state = 'kept';
CREATE INDEX replies_running ON replies (epoch) WHERE state = 'running';
