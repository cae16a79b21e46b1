-- What keeps it running: troubles that maintainers hear of, and what is looked up in channels after a restore.

-- What is wrong now, each told once until it is well again.
CREATE TABLE troubles (
    subject  TEXT    PRIMARY KEY,               -- 'feed bpf', 'channel 3', 'disk'
    kind     TEXT    NOT NULL,                  -- another kind of the same subject is told again
    since_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE feeds ADD COLUMN failing_since INTEGER;             -- the first of the failures in a row

-- A channel that was put back to an older state is looked through from then on; until that is done, nothing is sent there.
ALTER TABLE channels ADD COLUMN recall_from INTEGER;
ALTER TABLE channels ADD COLUMN recalled_at INTEGER;            -- when it was looked through; NULL: not yet

-- What was found there: messages, and the stories that a list names, by their marks.
CREATE TABLE standing (
    channel_id INTEGER NOT NULL REFERENCES channels (id),
    mark       TEXT    NOT NULL,
    receipt    TEXT    NOT NULL,                -- of the message, JSON
    title      TEXT    NOT NULL,                -- of a list
    listed_in  TEXT,                            -- the list's mark; NULL: a message of its own
    found_at   INTEGER NOT NULL,
    taken      INTEGER NOT NULL DEFAULT 0,      -- 1: a post of ours stands for it again
    PRIMARY KEY (channel_id, mark)
) STRICT, WITHOUT ROWID;

CREATE INDEX standing_free ON standing (channel_id) WHERE taken = 0;
CREATE INDEX posts_unsent ON posts (channel_id) WHERE receipt IS NULL AND digest_id IS NULL;
