-- One row for each series about BPF, so that its numbers are counted without reading what the stories say.
CREATE TABLE series_figures (
    story       INTEGER PRIMARY KEY REFERENCES stories (number) ON DELETE CASCADE,
    first_at    INTEGER NOT NULL,               -- when its first stored revision came
    is_whole    INTEGER NOT NULL,               -- 1: that is its first revision, so the days until it was applied are known
    revisions   INTEGER NOT NULL,               -- the version of its newest revision
    applied_at  INTEGER,                        -- when all of it was in a tree; NULL: it is not
    waits_since INTEGER,                        -- when its newest revision came, if nobody answered it
    tree        TEXT    NOT NULL,               -- empty: unknown
    area        TEXT    NOT NULL,               -- its subsystem, as its patches' titles begin; empty: unknown
    reviewers   TEXT    NOT NULL                -- JSON: names
) STRICT;

CREATE INDEX series_figures_by_time ON series_figures (first_at);
CREATE INDEX series_figures_applied ON series_figures (applied_at) WHERE applied_at IS NOT NULL;
CREATE INDEX series_figures_waiting ON series_figures (waits_since) WHERE waits_since IS NOT NULL;
