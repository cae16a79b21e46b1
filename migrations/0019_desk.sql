-- The editors' desk: every change of the coming issue is a version that stays, and editors get pages of their own.

-- Pictures of free entries, decoded and encoded again by us.
CREATE TABLE pictures (
    file     TEXT    PRIMARY KEY,               -- the SHA-256 of its bytes, with its ending
    width    INTEGER NOT NULL,
    height   INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    added_at INTEGER NOT NULL,
    added_by TEXT    NOT NULL
) STRICT;

-- As before, with more kinds and subjects. A row is never deleted: undo marks it, and its number is a version.
CREATE TABLE edits_on_the_desk (
    id         INTEGER PRIMARY KEY,
    kind       TEXT    NOT NULL CHECK (kind IN ('pin', 'drop', 'move', 'note', 'title', 'order', 'intro', 'add', 'accept', 'decline')),
    item_id    INTEGER REFERENCES items (id),             -- of a story: the item that its id came from
    suggestion INTEGER REFERENCES suggestions (id),       -- of a suggestion
    entry      INTEGER REFERENCES edits_on_the_desk (id), -- of a free entry: the edit that added it
    section    TEXT,                                      -- where it is to stand
    place      INTEGER,                                   -- of an order: the place in that section, from 1
    title      TEXT    NOT NULL DEFAULT '',               -- of an added entry or an accepted suggestion
    text       TEXT    NOT NULL DEFAULT '',
    base       INTEGER NOT NULL DEFAULT 0,                -- of a text: the version that it replaces
    link       TEXT,                                      -- of an added entry
    picture    TEXT    REFERENCES pictures (file),        -- of an added entry …
    alt        TEXT    NOT NULL DEFAULT '',               -- … and its words for those who do not see it
    at         INTEGER NOT NULL,
    person     TEXT    NOT NULL,
    issue      INTEGER REFERENCES issues (number),        -- the issue that it went into; NULL: of the coming one
    undone_at  INTEGER,
    undone_by  TEXT
) STRICT;

INSERT INTO edits_on_the_desk (id, kind, item_id, section, text, at, person, issue)
    SELECT id, kind, item_id, section, text, at, person, issue FROM edits;
DROP TABLE edits;
ALTER TABLE edits_on_the_desk RENAME TO edits;
CREATE INDEX edits_coming ON edits (id) WHERE issue IS NULL;

-- Decisions about suggestions are edits too.
INSERT INTO edits (id, kind, suggestion, section, title, at, person, issue)
    SELECT (SELECT COALESCE(MAX(id), 0) FROM edits) + row_number() OVER (ORDER BY decided_at, id),
           iif(state = 'accepted', 'accept', 'decline'), id, section, title, COALESCE(decided_at, at),
           COALESCE(decided_by, ''), (SELECT number FROM issues WHERE number = suggestions.issue)
    FROM suggestions WHERE state <> 'open';
CREATE INDEX edits_by_suggestion ON edits (suggestion) WHERE suggestion IS NOT NULL;

-- One-time links to the desk, and the sessions that they became. Only hashes of the secrets are here.
CREATE TABLE desk_keys (
    hash      TEXT    PRIMARY KEY,              -- SHA-256, hexadecimal
    kind      TEXT    NOT NULL CHECK (kind IN ('link', 'session')),
    platform  TEXT    NOT NULL,
    person    TEXT    NOT NULL,
    room      TEXT    NOT NULL,                 -- where the editor asked for the link
    community TEXT,
    roles     TEXT    NOT NULL,                 -- JSON: the roles that the editor had there
    manages   INTEGER NOT NULL,                 -- whether the editor managed that place
    made_at   INTEGER NOT NULL,
    ends_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The edits have these now.
ALTER TABLE suggestions DROP COLUMN title;
ALTER TABLE suggestions DROP COLUMN section;
