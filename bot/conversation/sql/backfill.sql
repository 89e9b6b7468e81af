-- What is read from Slack after a time without events.

-- name: followed_threads
-- Threads the app took part in lately, the newest first.
SELECT thread FROM followed_threads(%(team)s, now() - make_interval(days => %(days)s), %(most)s);
