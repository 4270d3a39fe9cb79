-- What workers may spend without asking. `granted` is all that the worker of this epoch was given of an account, less what
-- it gave back; `posted` what its entries have cost of it since. The rest is still out there, until the worker is gone and
-- all of its journal is in the store.
CREATE TABLE leases (
    epoch    INTEGER NOT NULL,
    limit_id INTEGER NOT NULL,
    window   INTEGER NOT NULL,
    granted  INTEGER NOT NULL,
    posted   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (epoch, limit_id, window)
) STRICT, WITHOUT ROWID;

-- Rates of requests and tokens: the theoretical arrival time (GCRA), UTC microseconds.
CREATE TABLE rates (
    limit_id INTEGER NOT NULL PRIMARY KEY,
    tat      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
