-- Lists on the pages and in the API: newest first, with filters that need no row of `stories`.
CREATE INDEX stories_shown ON stories (last_at, number, kind, state, tree, author, free_on) WHERE relevant = 1;

-- The folders that stories about BPF change files in, up to three levels deep.
CREATE TABLE story_folders (
    folder TEXT    NOT NULL,
    number INTEGER NOT NULL REFERENCES stories (number) ON DELETE CASCADE,
    PRIMARY KEY (folder, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX story_folders_by_story ON story_folders (number);
