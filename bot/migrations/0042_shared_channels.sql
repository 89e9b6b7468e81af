-- Slack sends an event of a channel that several organisations share once, however many of them have the
-- app. The installations that it is for: their bot is mentioned, or they have rows of the message or of
-- its thread. Runs as the owner and returns ids of teams.
CREATE FUNCTION installations_with_message(
    channel text, message_ts text, root_ts text, author text, mentioned text[]
)
    RETURNS TABLE (team_id text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    AS $$
        SELECT here.team_id FROM installations AS here WHERE here.bot_user_id = ANY (mentioned)
        UNION SELECT here.team_id FROM installations AS here JOIN inbox_events AS events
            ON events.team_id = here.team_id AND events.channel_id = channel
            AND events.ts IN (message_ts, root_ts)
        UNION SELECT here.team_id FROM installations AS here JOIN inbox_events AS events
            ON events.thread = here.team_id || '.' || channel || '.' || root_ts
            AND events.status = 'waiting'
        UNION SELECT here.team_id FROM installations AS here JOIN turns
            ON turns.thread = here.team_id || '.' || channel || '.' || root_ts
        UNION SELECT here.team_id FROM installations AS here JOIN store
            ON store.prefix ~>=~ ('chat.' || here.team_id || '.' || author || '.')
            AND store.prefix ~<~ ('chat.' || here.team_id || '.' || author || '/')
            AND store.value->'sources'
                @> jsonb_build_array(jsonb_build_object('channel', channel, 'ts', message_ts))
    $$;
REVOKE ALL ON FUNCTION installations_with_message FROM PUBLIC;
GRANT EXECUTE ON FUNCTION installations_with_message TO kioku_app;
