-- A request that fails again and again is set aside as a dead letter, so that it holds nobody up; maintainers decide what becomes
-- of it.

ALTER TABLE deliveries ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;    -- tries that failed, whether or not they were sent
ALTER TABLE deliveries ADD COLUMN failing_since INTEGER;                  -- the first of them
ALTER TABLE deliveries ADD COLUMN passed INTEGER NOT NULL DEFAULT 0;      -- those that failed while others got through
ALTER TABLE deliveries ADD COLUMN set_aside_at INTEGER;                   -- a dead letter since then; NULL: none, or decided

CREATE INDEX deliveries_aside ON deliveries (id) WHERE set_aside_at IS NOT NULL;
CREATE INDEX deliveries_failing ON deliveries (id) WHERE state = 'owed' AND failures > 0;

ALTER TABLE channels ADD COLUMN took_at INTEGER;                          -- when it last took something
ALTER TABLE channels ADD COLUMN replaced_by TEXT;                         -- the room that took its place, as its platform said
