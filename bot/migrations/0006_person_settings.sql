-- What a person has decided about their memory, and what Slack says of them.
CREATE TABLE person_settings (
    team_id text NOT NULL,
    user_id text NOT NULL,
    -- When memory is, or was, paused: words said then are never formed, also not afterwards.
    pauses tstzmultirange NOT NULL DEFAULT '{}',
    notices boolean NOT NULL DEFAULT true,
    -- NULL: the language of their Slack.
    language text CHECK (language IN ('en', 'ja')),
    consent text NOT NULL DEFAULT 'unknown' CHECK (consent IN ('unknown', 'agreed', 'refused')),
    consent_at timestamptz,
    -- When the person was told of memory, or asked.
    told_at timestamptz,
    retention_days int CHECK (retention_days BETWEEN 1 AND 36500),
    locale text,
    time_zone text,
    profile_at timestamptz,
    PRIMARY KEY (team_id, user_id)
);
ALTER TABLE person_settings ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_settings ON person_settings
    USING (team_id || '.' || user_id = current_setting('kioku.person', true));

-- Threads in which a person's memory is neither read nor written, for good.
CREATE TABLE incognito_threads (
    team_id text NOT NULL,
    user_id text NOT NULL,
    thread text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, user_id, thread)
);
ALTER TABLE incognito_threads ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_incognito_threads ON incognito_threads
    USING (team_id || '.' || user_id = current_setting('kioku.person', true));

-- Said while memory was off, or not to be remembered: no text of such a turn is kept.
ALTER TABLE turns ADD COLUMN off_record boolean NOT NULL DEFAULT false;
