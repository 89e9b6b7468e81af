-- When the person has last opened their App Home; NULL: never.
ALTER TABLE person_settings ADD COLUMN home_opened_at timestamptz;
