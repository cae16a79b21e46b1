-- Which feeds are due is asked all the time, and of thousands of them few are.
CREATE INDEX feeds_by_due ON feeds (next_poll_at, id) WHERE configured = 1 AND paused_at IS NULL;
