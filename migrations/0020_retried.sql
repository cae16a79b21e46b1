-- A send that took several attempts keeps its content for a while after it succeeded, because an earlier request of it may
-- still arrive.

CREATE INDEX deliveries_retried ON deliveries (channel_id) WHERE state = 'done' AND content IS NOT NULL;
