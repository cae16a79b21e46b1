-- Lists by tree and by author, newest first. The tree's name is the last part of its path, without `.git`.
ALTER TABLE stories ADD COLUMN tree_name TEXT GENERATED ALWAYS AS (
    CASE substr(rtrim(tree, '/'), -4)
        WHEN '.git' THEN substr(rtrim(tree, '/'), length(rtrim(rtrim(tree, '/'), replace(tree, '/', ''))) + 1,
                                length(replace(rtrim(tree, '/'), rtrim(rtrim(tree, '/'), replace(tree, '/', '')), '')) - 4)
        ELSE substr(rtrim(tree, '/'), length(rtrim(rtrim(tree, '/'), replace(tree, '/', ''))) + 1)
    END
) VIRTUAL;

CREATE INDEX stories_by_tree ON stories (tree_name, last_at, number, kind, state, author, free_on) WHERE relevant = 1;
CREATE INDEX stories_by_author ON stories (author COLLATE NOCASE, last_at, number, kind, state, tree_name, free_on)
    WHERE relevant = 1;

-- The files that stories about BPF change, for lists by subsystem. Whose a file is, the configuration's MAINTAINERS says.
CREATE TABLE files (
    id   INTEGER PRIMARY KEY,
    path TEXT    NOT NULL UNIQUE
) STRICT;

CREATE TABLE story_files (
    file   INTEGER NOT NULL REFERENCES files (id),
    number INTEGER NOT NULL REFERENCES stories (number) ON DELETE CASCADE,
    PRIMARY KEY (file, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX story_files_by_story ON story_files (number);
