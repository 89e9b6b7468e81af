-- What 0007 and 0008 set, for databases where `kioku reembed` made the table anew without it.
ALTER TABLE store_vectors SET (toast_tuple_target = 8160);
ALTER POLICY own_vectors ON store_vectors
    USING (starts_with(prefix, (SELECT 'chat.' || current_setting('kioku.person', true) || '.'))
        AND (SELECT current_setting('kioku.person', true) ~ '^[A-Z0-9]+[.][A-Z0-9]+$'));
