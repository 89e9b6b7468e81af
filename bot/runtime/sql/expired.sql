-- What is kept for a while only: each statement deletes the rows of a table that have expired. Row-level
-- security lets anyone delete these.

-- name: interactions
-- Signatures are valid for five minutes, by a clock that may be five minutes off.
DELETE FROM interactions WHERE at < now() - interval '15 minutes';

-- name: forgotten
-- The ids of what was forgotten, after thirty days.
SELECT clear_away_forgotten();

-- name: people
-- The counts of people who were erased.
SELECT clear_away_people(%(most)s);

-- name: messages
-- Messages without a turn, some at a time.
SELECT clear_away(%(most)s);
