-- Of a large set, memories that another one supersedes are left out of each search.
CREATE INDEX store_superseding ON store (prefix text_pattern_ops) WHERE value ? 'supersedes';

-- Called by no version since 0014.
DROP FUNCTION delete_expired_questions();
