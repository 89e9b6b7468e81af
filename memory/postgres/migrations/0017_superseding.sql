-- Of a large set, memories that another one supersedes are left out of each search.
CREATE INDEX store_superseding ON store (prefix text_pattern_ops) WHERE value ? 'supersedes';
