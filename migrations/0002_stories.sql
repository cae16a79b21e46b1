-- Stories: what items fold into.

ALTER TABLE feeds ADD COLUMN role TEXT;                        -- of a tree: fixes, next, mainline, stable, topic
ALTER TABLE feeds ADD COLUMN branch TEXT;                      -- of a tree
ALTER TABLE feeds ADD COLUMN bpf_only INTEGER NOT NULL DEFAULT 0; -- 1: all that it carries is about BPF

-- Which items may meet in one story. One carrier of a key stands for all of them, since they are in one cluster.
CREATE TABLE join_keys (
    key     INTEGER PRIMARY KEY,                               -- the first eight bytes of a digest
    item_id INTEGER NOT NULL REFERENCES items (id)
) STRICT;

-- Every item is in one cluster (the number of one of its items) and in one story.
CREATE TABLE members (
    item_id INTEGER PRIMARY KEY REFERENCES items (id),
    cluster INTEGER NOT NULL,
    story   INTEGER REFERENCES stories (number)                -- NULL only inside the transaction that folds it
) STRICT;

CREATE INDEX members_by_cluster ON members (cluster);
CREATE INDEX members_by_story ON members (story);

-- What items say of things that are not their own: commits that they mend, patches that a pull request lists.
CREATE TABLE mentions (
    key     INTEGER NOT NULL,
    item_id INTEGER NOT NULL REFERENCES items (id),
    PRIMARY KEY (key, item_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE stories (
    number   INTEGER PRIMARY KEY,
    id       TEXT    NOT NULL UNIQUE,                          -- derived from its earliest item
    item_id  INTEGER NOT NULL REFERENCES items (id),           -- that item
    cluster  INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    state    TEXT    NOT NULL,
    author   TEXT,
    tree     TEXT,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    score    INTEGER NOT NULL,
    relevant INTEGER NOT NULL,
    free_on  INTEGER,                                          -- days since 1970: when a paid article becomes free
    told     BLOB    NOT NULL                                  -- the whole story: JSON, compressed (zstd)
) STRICT;

CREATE INDEX stories_by_time ON stories (last_at);
CREATE INDEX stories_by_cluster ON stories (cluster);

-- Ids that stories had before. Each was derived from an item, and leads to the story that this item is in now.
CREATE TABLE story_aliases (
    alias   TEXT    PRIMARY KEY,
    item_id INTEGER NOT NULL REFERENCES items (id)
) STRICT, WITHOUT ROWID;

CREATE INDEX story_aliases_by_item ON story_aliases (item_id);

-- Full text. SQLite's own, like nothing else here.
CREATE VIRTUAL TABLE story_search USING fts5 (
    title, people, words,
    content = '', contentless_delete = 1, tokenize = "unicode61 remove_diacritics 2 tokenchars '_'"
);
