-- When a delivery was last tried without being heard of. What is under way still may come after what is asked later.
ALTER TABLE deliveries ADD COLUMN last_tried_at INTEGER;
