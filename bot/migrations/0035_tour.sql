-- When a person finished or skipped the three steps on Home. Those who are known already never see them.
ALTER TABLE person_settings ADD COLUMN toured_at timestamptz DEFAULT now();
ALTER TABLE person_settings ALTER COLUMN toured_at DROP DEFAULT;
