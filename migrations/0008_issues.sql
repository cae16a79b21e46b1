-- The weekly issue: when things became known, what editors decide, what was published.

-- When an item came in the course of polling. NULL: it came as history, and counts as known at its own time.
ALTER TABLE items ADD COLUMN known_at INTEGER;
CREATE INDEX items_by_known ON items (known_at) WHERE known_at IS NOT NULL;
-- When a feed showed an item that was here already, in the course of polling. NULL: known with the item.
ALTER TABLE sightings ADD COLUMN seen_at INTEGER;
CREATE INDEX sightings_by_time ON sightings (seen_at) WHERE seen_at IS NOT NULL;
CREATE INDEX mentions_by_item ON mentions (item_id);
CREATE INDEX stories_by_free ON stories (free_on) WHERE free_on IS NOT NULL;

-- The stories that a maintainer took back.
CREATE VIEW retracted_stories (number) AS
    SELECT m.story FROM mutes u JOIN members m ON m.item_id = u.item_id WHERE u.kind = 'retracted' AND m.story IS NOT NULL;

-- Published issues. A row is never changed.
CREATE TABLE issues (
    number       INTEGER PRIMARY KEY,
    from_at      INTEGER NOT NULL,              -- what became known from then on …
    to_at        INTEGER NOT NULL,              -- … and before that
    published_at INTEGER NOT NULL,
    published_by TEXT    NOT NULL,              -- a person's id; 'schedule'; 'command line'
    told         BLOB    NOT NULL,              -- the whole issue: JSON, compressed (zstd)
    CHECK (from_at < to_at)
) STRICT;

-- Marked notes that correct an issue after it was published. Rows are only ever added.
CREATE TABLE corrections (
    id     INTEGER PRIMARY KEY,
    issue  INTEGER NOT NULL REFERENCES issues (number),
    at     INTEGER NOT NULL,
    person TEXT    NOT NULL,
    text   TEXT    NOT NULL
) STRICT;

CREATE INDEX corrections_by_issue ON corrections (issue);

-- What editors decided for a coming issue. It hangs on the item that the story's id came from, as posts do, so no fold
-- loses it. A later decision of the same kind on the same story takes an earlier one's place.
CREATE TABLE edits (
    id      INTEGER PRIMARY KEY,
    kind    TEXT    NOT NULL CHECK (kind IN ('pin', 'drop', 'move', 'note', 'intro')),
    item_id INTEGER REFERENCES items (id),      -- NULL: an introduction, which is of no story
    section TEXT,                               -- where it is pinned or moved to
    text    TEXT    NOT NULL DEFAULT '',
    at      INTEGER NOT NULL,
    person  TEXT    NOT NULL,
    issue   INTEGER REFERENCES issues (number)  -- the issue that it went into; NULL: of the coming one
) STRICT;

CREATE INDEX edits_coming ON edits (id) WHERE issue IS NULL;

-- What became of suggestions.
ALTER TABLE suggestions ADD COLUMN room TEXT NOT NULL DEFAULT '';
ALTER TABLE suggestions ADD COLUMN state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'accepted', 'declined'));
ALTER TABLE suggestions ADD COLUMN title TEXT NOT NULL DEFAULT '';    -- what an editor calls it
ALTER TABLE suggestions ADD COLUMN section TEXT;                      -- where an editor put it
ALTER TABLE suggestions ADD COLUMN decided_at INTEGER;
ALTER TABLE suggestions ADD COLUMN decided_by TEXT;
ALTER TABLE suggestions ADD COLUMN issue INTEGER;                     -- the issue that it went into

-- Where maintainers were told of a suggestion, to be changed there once it is decided.
CREATE TABLE suggestion_posts (
    suggestion_id INTEGER NOT NULL REFERENCES suggestions (id),
    post_id       INTEGER NOT NULL REFERENCES posts (id),
    PRIMARY KEY (suggestion_id, post_id)
) STRICT, WITHOUT ROWID;
