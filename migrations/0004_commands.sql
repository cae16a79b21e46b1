-- What people ask for and change in chat.

ALTER TABLE feeds ADD COLUMN paused_at INTEGER;   -- a maintainer paused it; NULL: it is polled
ALTER TABLE channels ADD COLUMN community TEXT;   -- the server that it belongs to, as its platform said
ALTER TABLE deliveries ADD COLUMN receipt TEXT;   -- of an answer below a post: where it stands, to be taken back with it

-- Feeds and channels that were added in chat, as the tables of the configuration that they are.
CREATE TABLE additions (
    kind     TEXT    NOT NULL CHECK (kind IN ('feed', 'channel')),
    name     TEXT    NOT NULL,
    toml     TEXT    NOT NULL,
    added_at INTEGER NOT NULL,
    added_by TEXT    NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- What is told no more. A story's mute hangs on the item that the story's id came from, as its posts do.
CREATE TABLE mutes (
    id       INTEGER PRIMARY KEY,
    kind     TEXT    NOT NULL CHECK (kind IN ('story', 'retracted', 'author', 'words')),
    what     TEXT    NOT NULL,                    -- the item's number; a name or words in small letters
    shown    TEXT    NOT NULL,                    -- the story's title; the name or the words as they were written
    item_id  INTEGER REFERENCES items (id),
    muted_at INTEGER NOT NULL,
    muted_by TEXT    NOT NULL,
    UNIQUE (kind, what)
) STRICT;

CREATE INDEX mutes_by_item ON mutes (item_id) WHERE item_id IS NOT NULL;

-- Links that readers handed in.
CREATE TABLE suggestions (
    id       INTEGER PRIMARY KEY,
    url      TEXT    NOT NULL UNIQUE,             -- in the one form that all ways to write it have
    shown    TEXT    NOT NULL,                    -- as it was written
    note     TEXT    NOT NULL,
    platform TEXT    NOT NULL,
    person   TEXT    NOT NULL,
    place    TEXT    NOT NULL,                    -- the server, or the room where there is no such
    at       INTEGER NOT NULL
) STRICT;

CREATE INDEX suggestions_by_person ON suggestions (platform, person, at);
CREATE INDEX suggestions_by_place ON suggestions (platform, place, at);

-- People whose suggestions are not taken. Their ids differ from platform to platform by their form.
CREATE TABLE bans (
    person    TEXT    PRIMARY KEY,
    banned_at INTEGER NOT NULL,
    banned_by TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Who changed what. Rows are only ever added.
CREATE TABLE audit (
    id        INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    platform  TEXT    NOT NULL,
    person    TEXT    NOT NULL,
    room      TEXT    NOT NULL,
    community TEXT,
    what      TEXT    NOT NULL                    -- the command, and what came of it
) STRICT;

-- The best of the last days, without reading what the stories say.
CREATE INDEX stories_by_worth ON stories (last_at, relevant, score, number);
-- Series that may wait for an answer.
CREATE INDEX stories_unanswered ON stories (last_at) WHERE kind = 'series' AND state IN ('posted', 'discussed') AND relevant = 1;
