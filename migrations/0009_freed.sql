-- When a feed showed a paid article as free: before its day, or after one that nobody knew. The day stays as it was told, so
-- that the issues of weeks before say what was known then.
ALTER TABLE items ADD COLUMN freed_at INTEGER;
CREATE INDEX items_by_freed ON items (freed_at) WHERE freed_at IS NOT NULL;
-- What became free is asked of items: what stories say of it changes.
CREATE INDEX items_by_free ON items (free_on) WHERE free_on IS NOT NULL;
DROP INDEX stories_by_free;
