-- People who get messages of their own, and what they follow. All of this is personal data: `recipients` alone has addresses,
-- and erasing a recipient deletes every row that leads to it.

CREATE TABLE recipients (
    id           INTEGER PRIMARY KEY,
    platform     TEXT    NOT NULL,
    address      TEXT    NOT NULL,                -- a Discord user's id, a Matrix user's id, a mail address
    added_at     INTEGER NOT NULL,
    room         TEXT,                            -- the room of direct messages, in the platform's words; NULL: not opened yet
    asked_in     TEXT,                            -- the room where the person last asked for messages …
    community    TEXT,                            -- … and its server
    suspended_at INTEGER,                         -- the platform refuses this person's messages; NULL: it does not
    suspended_why TEXT,
    recall_from  INTEGER,                         -- after a restore: look for what was sent from then on
    UNIQUE (platform, address)
) STRICT;

-- A platform's channel for the messages of recipients. It is in no configuration, and takes no posts.
ALTER TABLE channels ADD COLUMN personal INTEGER NOT NULL DEFAULT 0;

ALTER TABLE deliveries ADD COLUMN recipient_id INTEGER REFERENCES recipients (id);    -- NULL: for a room
ALTER TABLE deliveries ADD COLUMN room TEXT;                    -- the room where a recipient is mentioned; NULL: their own

-- A recipient's messages are sent one after another.
CREATE INDEX deliveries_by_recipient ON deliveries (recipient_id, state, id) WHERE recipient_id IS NOT NULL;

CREATE TABLE follows (
    id           INTEGER PRIMARY KEY,
    recipient_id INTEGER NOT NULL REFERENCES recipients (id),
    kind         TEXT    NOT NULL CHECK (kind IN ('story', 'author', 'filter')),
    what         TEXT    NOT NULL,                -- the item's number; a name in small letters; a filter
    shown        TEXT    NOT NULL,                -- the story's title; the name or the filter as they were written
    item_id      INTEGER REFERENCES items (id),   -- of a story: the item that its id came from
    way          TEXT    NOT NULL CHECK (way IN ('direct', 'thread')),
    added_at     INTEGER NOT NULL,
    UNIQUE (recipient_id, kind, what)
) STRICT;

CREATE INDEX follows_by_item ON follows (item_id) WHERE item_id IS NOT NULL;
CREATE INDEX follows_by_kind ON follows (kind, what) WHERE item_id IS NULL;

-- What moved of the things that a person follows, and is not sent yet. A story has one row, however many follows see it.
CREATE TABLE follow_news (
    recipient_id INTEGER NOT NULL REFERENCES recipients (id),
    item_id      INTEGER NOT NULL REFERENCES items (id),      -- as in follows
    way          TEXT    NOT NULL CHECK (way IN ('direct', 'thread')),
    line         TEXT    NOT NULL,                -- JSON; the last state wins
    moved_at     INTEGER NOT NULL,                -- the first of its moves
    PRIMARY KEY (recipient_id, item_id)
) STRICT, WITHOUT ROWID;

-- After a restore: which stories the messages to a person name, as they were found in the person's room.
CREATE TABLE follow_standing (
    recipient_id INTEGER NOT NULL REFERENCES recipients (id),
    story        TEXT    NOT NULL,                -- its id
    last_at      INTEGER NOT NULL,                -- the story's last step that a message named
    found_at     INTEGER NOT NULL,
    PRIMARY KEY (recipient_id, story)
) STRICT, WITHOUT ROWID;
