-- Whether a person has renamed the agent session of the turn's thread: the app then leaves its title
-- as it is.
ALTER TABLE turns ADD COLUMN retitled boolean NOT NULL DEFAULT false;
