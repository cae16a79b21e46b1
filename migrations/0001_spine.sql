-- Feeds, the items they gave, and what is to be told of them.
-- Times are unix seconds (UTC). Digests are the first 16 bytes of SHA-256 of an item key's text.

CREATE TABLE feeds (
    id            INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE,
    kind          TEXT    NOT NULL CHECK (kind IN ('tree', 'archive', 'lwn', 'feed')),
    url           TEXT,                       -- NULL: mails that were only ever imported
    configured    INTEGER NOT NULL DEFAULT 1, -- 0: no longer in the configuration, so paused
    state         TEXT    NOT NULL DEFAULT 'never'
                  CHECK (state IN ('never', 'ok', 'backing_off', 'walled', 'gone')),
    added_at      INTEGER NOT NULL,
    seeded_at     INTEGER,                    -- the first successful poll; before it nothing is news
    floor_at      INTEGER,                    -- the oldest date of the seed: what is older slid back in
    last_polled_at INTEGER,
    last_ok_at    INTEGER,
    next_poll_at  INTEGER NOT NULL DEFAULT 0,
    failures      INTEGER NOT NULL DEFAULT 0, -- in a row
    last_error    TEXT,                       -- of the last poll, NULL when it went well
    moved_to      TEXT,                       -- a permanent redirect that proved good
    items         INTEGER NOT NULL DEFAULT 0, -- how many items were seen here
    cursor        TEXT,                       -- where polling stands, as the source wrote it
    backfill      TEXT                        -- where a backfill stands, as the source wrote it
) STRICT;

CREATE TABLE items (
    id         INTEGER PRIMARY KEY,
    kind       INTEGER NOT NULL,              -- 1 commit, 2 message, 3 article, 4 release, 5 video
    ref        TEXT    NOT NULL,              -- commit hash, Message-ID, or the key as text
    title      TEXT    NOT NULL,
    author     TEXT    NOT NULL,
    email      TEXT    NOT NULL,
    at         INTEGER NOT NULL,              -- when it became news
    written_at INTEGER,                       -- when its author wrote it
    seen_at    INTEGER NOT NULL,              -- when we first saw it
    url        TEXT,                          -- NULL where feed and ref tell it
    parent     BLOB,                          -- digest of the mail it answers
    free_on    INTEGER,                       -- days since 1970: when a paid article becomes free; -1: unknown
    detail     INTEGER NOT NULL               -- 0 brief, 1 entry, 2 whole
) STRICT;

CREATE INDEX items_by_time ON items (at);
CREATE INDEX items_by_parent ON items (parent) WHERE parent IS NOT NULL;

-- The clustered index that tells whether an entry is known. Its rows are small and its cost does not grow
-- noticeably with the number of items; twin and link keys lead to the item that a stranger resembles.
CREATE TABLE item_keys (
    kind    INTEGER NOT NULL,                 -- as in items; 10: twin of a commit; 11: link of an article; 12: its subject
    digest  BLOB    NOT NULL,
    item_id INTEGER NOT NULL REFERENCES items (id),
    PRIMARY KEY (kind, digest)
) STRICT, WITHOUT ROWID;

-- Prose and headers, compressed (zstd).
CREATE TABLE texts (
    item_id INTEGER PRIMARY KEY REFERENCES items (id),
    body    BLOB NOT NULL
) STRICT;

CREATE TABLE sightings (
    item_id INTEGER NOT NULL REFERENCES items (id),
    feed_id INTEGER NOT NULL REFERENCES feeds (id),
    print   INTEGER,                          -- a hash of what this feed says of it, to notice a change
    PRIMARY KEY (item_id, feed_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX sightings_by_feed ON sightings (feed_id, item_id);

-- Stretches of a feed that are known to be missing.
CREATE TABLE gaps (
    feed_id  INTEGER NOT NULL REFERENCES feeds (id),
    from_at  INTEGER NOT NULL,
    to_at    INTEGER NOT NULL,
    why      TEXT    NOT NULL,
    found_at INTEGER NOT NULL,
    PRIMARY KEY (feed_id, from_at, to_at, why)
) STRICT, WITHOUT ROWID;

-- Entries that could not be read: each told once, with how often it was met.
CREATE TABLE faults (
    feed_id  INTEGER NOT NULL REFERENCES feeds (id),
    what     TEXT    NOT NULL,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    met      INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (feed_id, what)
) STRICT, WITHOUT ROWID;

-- What is to be told, and what was.
CREATE TABLE posts (
    id        INTEGER PRIMARY KEY,
    root      BLOB    NOT NULL UNIQUE,        -- digest of the item that the post stands for
    opened_at INTEGER NOT NULL,
    due_at    INTEGER NOT NULL,               -- a series waits a while for its parts
    sample    INTEGER NOT NULL DEFAULT 0,     -- 1: shows that a new feed works
    told_at   INTEGER
) STRICT;

CREATE INDEX posts_owed ON posts (due_at) WHERE told_at IS NULL;

CREATE TABLE post_items (
    post_id INTEGER NOT NULL REFERENCES posts (id),
    item_id INTEGER NOT NULL REFERENCES items (id),
    PRIMARY KEY (post_id, item_id)
) STRICT, WITHOUT ROWID;
