-- Channels, the posts that stand in them, and the deliveries owed to them. What stood of posts on the terminal goes.

DROP TABLE post_items;
DROP TABLE posts;

CREATE TABLE channels (
    id          INTEGER PRIMARY KEY,
    name        TEXT    NOT NULL,               -- as the configuration names it
    platform    TEXT    NOT NULL,
    address     TEXT    NOT NULL,               -- the room, in the platform's own terms
    configured  INTEGER NOT NULL DEFAULT 1,     -- 0: no longer in the configuration
    added_at    INTEGER NOT NULL,               -- what moved before is not told, but for a sample
    held_to     INTEGER NOT NULL DEFAULT 0,     -- the server asked us to wait so long
    paused_at   INTEGER,                        -- the platform refuses it; NULL: it is well
    paused_why  TEXT,
    UNIQUE (platform, address)
) STRICT;

-- One post of a story in a channel. It hangs on the item that the story's id came from, so it follows the story through
-- joins, splits and refolds. A digest is a post too; the posts that it lists have no message of their own.
CREATE TABLE posts (
    id         INTEGER PRIMARY KEY,
    channel_id INTEGER NOT NULL REFERENCES channels (id),
    item_id    INTEGER REFERENCES items (id),   -- NULL: a digest
    digest_id  INTEGER REFERENCES posts (id),   -- the digest that lists it
    opened_at  INTEGER NOT NULL,
    state      TEXT    NOT NULL DEFAULT 'open'  -- waiting: for the next digest
               CHECK (state IN ('open', 'waiting', 'muted', 'retracted', 'joined')),
    content    TEXT    NOT NULL,                -- what it is to say, JSON; the last state wins
    milestone  TEXT,                            -- the last one that it told
    receipt    TEXT,                            -- where it stands, JSON; NULL until it was sent
    UNIQUE (channel_id, item_id)
) STRICT;

CREATE INDEX posts_by_item ON posts (item_id);
CREATE INDEX posts_by_digest ON posts (digest_id) WHERE digest_id IS NOT NULL;
CREATE INDEX posts_waiting ON posts (channel_id, id) WHERE state = 'waiting';

-- What is owed to channels, and what was done. A send's content is fixed by its first attempt; until then, and in an edit
-- that is not under way, the last state wins.
CREATE TABLE deliveries (
    id          INTEGER PRIMARY KEY,
    channel_id  INTEGER NOT NULL REFERENCES channels (id),
    post_id     INTEGER REFERENCES posts (id),  -- NULL: a notice
    verb        TEXT    NOT NULL CHECK (verb IN ('send', 'reply', 'edit', 'remove')),
    content     TEXT,                           -- JSON; NULL for a removal
    nonce       INTEGER NOT NULL UNIQUE,        -- random; with the version: the stable key of its attempts
    version     INTEGER NOT NULL DEFAULT 0,     -- counts changes of the content
    due_at      INTEGER NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,     -- that may have reached the platform
    first_tried_at INTEGER,                     -- of this version
    state       TEXT    NOT NULL DEFAULT 'owed' CHECK (state IN ('owed', 'done', 'dead')),
    why         TEXT,                           -- of the last failure
    settled_at  INTEGER
) STRICT;

CREATE INDEX deliveries_owed ON deliveries (channel_id, due_at, id) WHERE state = 'owed';
CREATE UNIQUE INDEX deliveries_edits ON deliveries (post_id, verb) WHERE state = 'owed' AND verb IN ('edit', 'remove');
CREATE INDEX deliveries_by_post ON deliveries (post_id);
-- What the cap of an hour counts.
CREATE INDEX deliveries_sends ON deliveries (channel_id, due_at) WHERE verb = 'send';
