-- What each budget has been charged, window by window, and sums by the hour, both written in the transaction that adds
-- the entries.

ALTER TABLE entries ADD COLUMN project INTEGER NOT NULL DEFAULT 1;
ALTER TABLE entries ADD COLUMN charge INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entries ADD COLUMN image_input INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entries ADD COLUMN image_output INTEGER NOT NULL DEFAULT 0;

-- The sets of accounts that costs were charged to, as JSON [[limit, window], ...]; 0 is the empty set. A row of `entries`
-- says which by its `charge`.
CREATE TABLE charges (
    id       INTEGER PRIMARY KEY,
    accounts TEXT NOT NULL UNIQUE
) STRICT;

INSERT INTO charges (id, accounts) VALUES (0, '[]');

-- `window` is the first millisecond of the budget's day, week or month; 0 where it has none. `posted` in nano-dollars.
CREATE TABLE accounts (
    limit_id INTEGER NOT NULL,
    window   INTEGER NOT NULL,
    posted   INTEGER NOT NULL,
    PRIMARY KEY (limit_id, window)
) STRICT, WITHOUT ROWID;
