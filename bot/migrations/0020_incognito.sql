-- Incognito can be switched off again. `thread` may also be 'dm': all direct messages with the app.
-- It covers what was written, or edited, within `spans`; a row without any said otherwise is of a
-- thread that was made incognito for good, from its beginning on.
ALTER TABLE incognito_threads ADD COLUMN spans tstzmultirange NOT NULL DEFAULT '{(,)}';

-- When the text of a message that is, or was, to be answered was last edited.
ALTER TABLE inbox_events ADD COLUMN edited_at timestamptz;

-- App Home shows the switch.
