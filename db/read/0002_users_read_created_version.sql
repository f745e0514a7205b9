-- `users_read.created_at` was the earliest time of all events about the user. A service whose
-- clock is behind can give a later event an earlier time.
--
-- Rows from before keep their time until an event with a lower version arrives.
ALTER TABLE users_read
    -- Version of the event that created_at comes from: the lowest version of all events that
    -- were applied.
    ADD COLUMN created_version BIGINT NOT NULL DEFAULT 1;
