-- The channels in which the person was told that memories of direct messages are not used there.
ALTER TABLE person_settings ADD COLUMN hint_channels text[] NOT NULL DEFAULT '{}';
