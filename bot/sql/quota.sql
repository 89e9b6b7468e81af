-- How many requests of a person are answered in an hour.

-- name: seconds_to_wait
-- The seconds until a person may ask a model again; NULL: they may now.
SELECT extract(epoch FROM
    may_ask_again_at(%(team)s, %(user)s, extract(epoch FROM clock_timestamp())::text, %(limit)s)
    - now())::float8 AS seconds;

-- name: seconds_to_wait_with_message
-- The same, as of the moment when a message was written or last edited.
SELECT extract(epoch FROM
    may_ask_again_at(team_id, user_id, GREATEST(ts, changed_ts), %(limit)s) - now()
)::float8 AS seconds
FROM messages
WHERE id = %(id)s AND team_id = %(team)s AND user_id = %(user)s;

-- name: count_request
-- Count a request at the moment of an event, or now if `ts` is NULL.
INSERT INTO person_requests (team_id, user_id, kind, at)
VALUES (%(team)s, %(user)s, 'model',
    COALESCE(to_timestamp(%(ts)s::float8), clock_timestamp()));

-- name: count_question
-- Count a question about a colleague, unless there were `most` of them in the last hour.
INSERT INTO person_requests (team_id, user_id, kind)
SELECT %(team)s, %(user)s, 'colleague'
WHERE (
    SELECT count(*) FROM person_requests
    WHERE team_id = %(team)s AND user_id = %(user)s AND kind = 'colleague'
        AND at > now() - interval '1 hour'
) < %(most)s;
