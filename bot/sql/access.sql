-- How often people may use Kioku, and requests that are under way.

-- name: seconds_to_wait
-- Until a person may ask a model again; NULL: they may now.
SELECT extract(epoch FROM
    may_ask_again_at(%(team)s, %(user)s, extract(epoch FROM clock_timestamp())::text, %(limit)s)
    - now())::float8 AS seconds;

-- name: seconds_to_wait_with_message
-- As of the moment in which a message was written, or edited last.
SELECT extract(epoch FROM
    may_ask_again_at(team_id, user_id, GREATEST(ts, changed_ts), %(limit)s) - now()
)::float8 AS seconds
FROM messages
WHERE id = %(id)s AND team_id = %(team)s AND user_id = %(user)s;

-- name: count_request
INSERT INTO person_requests (team_id, user_id, kind) VALUES (%(team)s, %(user)s, 'model');

-- name: count_edit
INSERT INTO person_requests (team_id, user_id, kind, at)
VALUES (%(team)s, %(user)s, 'model', to_timestamp(%(ts)s::float8));

-- name: count_question
-- A question about a colleague, unless there were enough of them in the last hour.
INSERT INTO person_requests (team_id, user_id, kind)
SELECT %(team)s, %(user)s, 'colleague'
WHERE (
    SELECT count(*) FROM person_requests
    WHERE team_id = %(team)s AND user_id = %(user)s AND kind = 'colleague'
        AND at > now() - interval '1 hour'
) < %(most)s
RETURNING id;

-- name: claim_refusal
-- The period of a sentence begins, unless it has begun with another message.
INSERT INTO notices AS known (team_id, user_id, kind, message_id, expires_at)
VALUES (%(team)s, %(user)s, %(refusal)s, %(message)s, now() + make_interval(secs => %(seconds)s))
ON CONFLICT (team_id, user_id, kind) DO UPDATE
SET message_id = excluded.message_id,
    expires_at = GREATEST(known.expires_at, excluded.expires_at)
WHERE known.expires_at < now() OR known.message_id = excluded.message_id
RETURNING kind;

-- name: begin_request
INSERT INTO notices (team_id, user_id, kind, message_id, expires_at)
VALUES (%(team)s, %(user)s, %(request)s, '', now() + interval '1 hour');

-- name: note_message_changed
UPDATE notices SET message_id = 'changed'
WHERE team_id = %(team)s AND user_id = %(user)s AND starts_with(kind, %(about)s);

-- name: check_request
SELECT message_id FROM notices
WHERE team_id = %(team)s AND user_id = %(user)s AND kind = %(request)s
FOR UPDATE;
