-- One row that every backup has: when the newest was begun, and a key without which the digests in a
-- list of existing rows (`kioku backup --ids`) say nothing. No policy: the owner alone reads it.
CREATE TABLE kioku_backup (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    key uuid NOT NULL DEFAULT gen_random_uuid(),
    begun_at timestamptz
);
INSERT INTO kioku_backup DEFAULT VALUES;
ALTER TABLE kioku_backup ENABLE ROW LEVEL SECURITY;

-- Says whether a text of a person still exists, without the text.
CREATE FUNCTION text_digest(key uuid, owner text, words text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT encode(substr(sha256(convert_to(key || owner || ' ' || words, 'UTF8')), 1, 16), 'hex')
    $$;
