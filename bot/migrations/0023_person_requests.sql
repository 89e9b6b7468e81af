-- How often, in one hour of the clock, a person made a request that calls a model and is no message:
-- /memories add, an import, POST /ask. Nothing of what it said.
CREATE TABLE person_requests (
    team_id text NOT NULL,
    user_id text NOT NULL,
    hour timestamptz NOT NULL,
    requests int NOT NULL,
    PRIMARY KEY (team_id, user_id, hour)
);
CREATE INDEX person_requests_hour ON person_requests (hour);
ALTER TABLE person_requests ENABLE ROW LEVEL SECURITY;
-- Anyone may delete what is over: nothing is asked of an hour that has ended.
CREATE POLICY own_person_requests ON person_requests USING (
    team_id || '.' || user_id = current_setting('kioku.person', true)
    OR hour < now() - interval '2 hours'
) WITH CHECK (team_id || '.' || user_id = current_setting('kioku.person', true));
