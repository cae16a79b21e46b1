-- Mails that stories lack. They are fetched from their archive, a few a day, and are never news.
CREATE TABLE wanted_mails (
    what       TEXT    NOT NULL CHECK (what IN ('mail', 'parts')), -- parts: a series lacks patches
    message_id TEXT    NOT NULL,                -- of the missing mail; for parts, of the first stored mail of the series
    item_id    INTEGER NOT NULL REFERENCES items (id), -- a stored mail of the story: the answer to the missing one
    wanted_at  INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    tries      INTEGER NOT NULL DEFAULT 0,
    state      TEXT    NOT NULL DEFAULT 'wanted' CHECK (state IN ('wanted', 'fetched', 'given_up')),
    why        TEXT,                            -- the last error, or why it was given up
    settled_at INTEGER,                         -- when it was fetched or given up
    PRIMARY KEY (what, message_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX wanted_mails_due ON wanted_mails (due_at) WHERE state = 'wanted';
CREATE INDEX wanted_mails_by_item ON wanted_mails (item_id);

-- How many threads were fetched on a day (days since 1970, UTC).
CREATE TABLE thread_fetches (
    day  INTEGER PRIMARY KEY,
    many INTEGER NOT NULL
) STRICT;
