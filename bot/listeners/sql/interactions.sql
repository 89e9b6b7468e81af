-- Commands, shortcuts, clicks and submissions, which Slack may deliver again.

-- name: note
-- Returns no row if it was carried out before.
INSERT INTO interactions (trigger_id) VALUES (%(trigger)s) ON CONFLICT DO NOTHING
RETURNING trigger_id;
