-- Lists on the pages and in the API: newest first, with filters that need no row of `stories`.
CREATE INDEX stories_shown ON stories (last_at, number, kind, state, tree, author, free_on) WHERE relevant = 1;
