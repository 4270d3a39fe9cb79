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

-- What entries are summed up by. A row for each combination that they have had.
CREATE TABLE lines (
    id         INTEGER PRIMARY KEY,
    key        TEXT NOT NULL,
    project    INTEGER NOT NULL,
    asked      TEXT NOT NULL,
    provider   TEXT NOT NULL,
    model      TEXT NOT NULL,
    credential TEXT NOT NULL,
    UNIQUE (key, project, asked, provider, model, credential)
) STRICT;

-- Sums of the entries whose call was received in an hour (UTC milliseconds / 3,600,000). `calls` counts first attempts,
-- `ended` last ones; `cost` is that of the `priced` entries; `unpriced` are those that used tokens and have no price.
CREATE TABLE hours (
    hour            INTEGER NOT NULL,
    line            INTEGER NOT NULL,
    calls           INTEGER NOT NULL,
    ended           INTEGER NOT NULL,
    failed          INTEGER NOT NULL,
    attempts        INTEGER NOT NULL,
    failed_attempts INTEGER NOT NULL,
    priced          INTEGER NOT NULL,
    cost            INTEGER NOT NULL,
    unpriced        INTEGER NOT NULL,
    estimated       INTEGER NOT NULL,
    input           INTEGER NOT NULL,
    cache_read      INTEGER NOT NULL,
    cache_write_5m  INTEGER NOT NULL,
    cache_write_1h  INTEGER NOT NULL,
    audio_input     INTEGER NOT NULL,
    output          INTEGER NOT NULL,
    reasoning       INTEGER NOT NULL,
    audio_output    INTEGER NOT NULL,
    image_input     INTEGER NOT NULL,
    image_output    INTEGER NOT NULL,
    PRIMARY KEY (hour, line)
) STRICT, WITHOUT ROWID;

-- What old entries that were removed came to: by hour (0 <= part of it <= all of it), and by what they were charged to.
-- So sums and accounts can be compared with entries all the same.
CREATE TABLE pruned_hours (
    hour            INTEGER NOT NULL PRIMARY KEY,
    entries         INTEGER NOT NULL,
    calls           INTEGER NOT NULL,
    ended           INTEGER NOT NULL,
    failed          INTEGER NOT NULL,
    attempts        INTEGER NOT NULL,
    failed_attempts INTEGER NOT NULL,
    priced          INTEGER NOT NULL,
    cost            INTEGER NOT NULL,
    unpriced        INTEGER NOT NULL,
    estimated       INTEGER NOT NULL,
    input           INTEGER NOT NULL,
    cache_read      INTEGER NOT NULL,
    cache_write_5m  INTEGER NOT NULL,
    cache_write_1h  INTEGER NOT NULL,
    audio_input     INTEGER NOT NULL,
    output          INTEGER NOT NULL,
    reasoning       INTEGER NOT NULL,
    audio_output    INTEGER NOT NULL,
    image_input     INTEGER NOT NULL,
    image_output    INTEGER NOT NULL
) STRICT;

CREATE TABLE pruned_charges (
    charge INTEGER NOT NULL PRIMARY KEY,
    cost   INTEGER NOT NULL
) STRICT;

INSERT INTO lines (key, project, asked, provider, model, credential)
SELECT DISTINCT key, project, asked, provider, model, credential FROM entries;

INSERT INTO hours
SELECT
    started / 3600000, lines.id,
    count(*) FILTER (WHERE attempt < 2),
    sum(final),
    count(*) FILTER (WHERE final AND status NOT IN ('complete', 'client_closed')),
    count(*) FILTER (WHERE attempt > 0),
    count(*) FILTER (WHERE attempt > 0 AND status NOT IN ('complete', 'client_closed')),
    count(cost),
    coalesce(sum(cost), 0),
    count(*) FILTER (WHERE cost IS NULL AND input + cache_read + cache_write_5m + cache_write_1h + audio_input
                           + output + reasoning + audio_output + image_input + image_output > 0),
    sum(estimated),
    sum(input), sum(cache_read), sum(cache_write_5m), sum(cache_write_1h), sum(audio_input),
    sum(output), sum(reasoning), sum(audio_output), sum(image_input), sum(image_output)
FROM entries JOIN lines USING (key, project, asked, provider, model, credential)
GROUP BY 1, 2;
