-- The values of stories about BPF that filters compare, so that a search by filter reads few whole stories. A text is a list of
-- lines, each between two line feeds; NULL: the text cannot be written so, and only the whole story says it.
CREATE TABLE story_values (
    story   INTEGER PRIMARY KEY REFERENCES stories (number) ON DELETE CASCADE,
    title   TEXT,                               -- in lower case, as the names are
    author  TEXT,
    people  TEXT,
    trees   TEXT,
    feeds   TEXT,
    lists   TEXT,
    mailed  TEXT,                               -- the parts before the @ of the addresses in To: and Cc:
    reasons TEXT,
    score   INTEGER NOT NULL,
    parts   INTEGER NOT NULL,                   -- -1: it has no such number
    version INTEGER NOT NULL,
    replies INTEGER NOT NULL,
    folders INTEGER NOT NULL                    -- how many rows of story_folders it has
) STRICT;

-- The MAINTAINERS file that was read from the tree of a feed.
CREATE TABLE subsystem_files (
    feed     TEXT    PRIMARY KEY,
    tried_at INTEGER NOT NULL,
    read_at  INTEGER,                           -- NULL: never
    body     BLOB                               -- compressed (zstd)
) STRICT;
