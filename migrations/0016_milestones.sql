-- The milestones that a post's story had reached when posts were last planned: their keys, with spaces between them. NULL: it was
-- not looked at since this column has them; what the story said before counts as known.
ALTER TABLE posts RENAME COLUMN milestone TO reached;
UPDATE posts SET reached = NULL;

-- Whether a reply goes to the thread of its post.
ALTER TABLE deliveries ADD COLUMN in_thread INTEGER NOT NULL DEFAULT 0;

-- When the feed was last read whole without showing the item; NULL if nobody knows.
ALTER TABLE sightings ADD COLUMN absent_at INTEGER;

-- Pull requests: which of them wait. Releases: which of the kernel had a commit first.
CREATE INDEX stories_pulls ON stories (first_at) WHERE kind = 'pull' AND relevant = 1;
CREATE INDEX items_releases ON items (at) WHERE kind = 4;
