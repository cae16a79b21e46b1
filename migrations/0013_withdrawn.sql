-- Issues that editors took back, whole: their numbers are free again, and what they said is not lost.
CREATE TABLE withdrawn_issues (
    id           INTEGER PRIMARY KEY,
    number       INTEGER NOT NULL,
    from_at      INTEGER NOT NULL,
    to_at        INTEGER NOT NULL,
    published_at INTEGER NOT NULL,
    published_by TEXT    NOT NULL,
    told         BLOB    NOT NULL,              -- as in issues
    withdrawn_at INTEGER NOT NULL,
    withdrawn_by TEXT    NOT NULL
) STRICT;
