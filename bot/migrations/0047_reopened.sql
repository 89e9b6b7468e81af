-- When an answered message was edited and so began to wait again: it counts in the hour of its edit.
ALTER TABLE inbox_events ADD COLUMN reopened_at timestamptz;
