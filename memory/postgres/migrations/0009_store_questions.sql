-- A question may also be whether to remember something at all: `before` has an empty content then.
ALTER TABLE memory_questions DROP CONSTRAINT memory_questions_kind_check;
ALTER TABLE memory_questions ADD CONSTRAINT memory_questions_kind_check
    CHECK (kind IN ('replace', 'remove', 'widen', 'store'));
