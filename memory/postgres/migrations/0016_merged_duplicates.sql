-- Duplicates that a person has merged: the changes have an actor of their own, by which Undo finds them.
ALTER TABLE memory_changes DROP CONSTRAINT memory_changes_actor_check;
ALTER TABLE memory_changes ADD CONSTRAINT memory_changes_actor_check
    CHECK (actor IN ('formation', 'tool', 'command', 'modal', 'import', 'source', 'expiry', 'undo',
        'question', 'merge'));
