"""Migrations only add: the version before goes on reading and writing while the new one starts."""

from __future__ import annotations

import re

import pytest

from bot.queue.migrations import migrations
from memory import Migration
from memory.postgres.migrate import memory_migrations

OURS = [
    step
    for step in (*memory_migrations(), *migrations())
    if step.name.startswith(("bot/", "memory/"))
]
# What would take something from a statement of the version before, or refuse what it writes.
TAKES = (
    r"DROP (?!DEFAULT|NOT NULL)",
    r"RENAME",
    r"ALTER COLUMN \w+ (?:SET DATA )?TYPE",
    r"SET NOT NULL",
    r"ADD COLUMN (?:(?!,).)*NOT NULL(?!(?:(?!,).)*DEFAULT)",
    r"ALTER TABLE .*ADD (?:CONSTRAINT|CHECK|UNIQUE|FOREIGN|PRIMARY)",
    r"CREATE UNIQUE INDEX",
    r"AS RESTRICTIVE",
    r"(?:TRUNCATE|DELETE FROM|REVOKE (?!.* ON FUNCTION ))",
)
# Why the version before does not mind.
ALLOWED = {
    "memory/0009_store_questions": "the constraint accepts more than before",
    "memory/0010_dates": "the version before writes no date outside the constraint",
    "memory/0011_expired_questions": "its statement has been deleted; see the migration",
    "memory/0016_merged_duplicates": "the constraint accepts more than before",
    "memory/0017_superseding": "no version since 0014 calls the function",
    "bot/0010_feedback": "the constraint accepts more than before",
    "bot/0031_home_jobs": "no statement names a trigger; the changelog says what is late",
    "bot/0033_operations": "the constraint accepts more than before",
    "bot/0039_operator_actions": "any action is accepted",
    "bot/0043_unused_tables": "no message needs the tables; the changelog says what waits",
    "bot/0052_prompted": "nothing was released",
    "bot/0045_improvement": "the index is on a table that is new",
}


def statements(step: Migration) -> list[str]:
    """Return the statements of a migration on one line each, without comments and bodies."""
    text = re.sub(r"--.*", "", step.statements)
    text = re.sub(r"\$\$.*?\$\$", "", text, flags=re.DOTALL)
    return [" ".join(one.split()) for one in text.split(";") if one.strip()]


@pytest.mark.parametrize("step", OURS, ids=lambda step: step.name)
def test_a_migration_only_adds(step: Migration) -> None:
    """No statement drops, renames or forbids what the version before reads or writes."""
    found = [one for one in statements(step) for taking in TAKES if re.search(taking, one)]
    assert bool(found) == (step.name in ALLOWED), found


def test_what_takes_is_found() -> None:
    """Each of the forms is recognised, and what only adds is not."""
    taking = (
        "DROP TABLE turns",
        "ALTER TABLE turns DROP COLUMN words",
        "ALTER TABLE turns RENAME words TO said",
        "ALTER TABLE turns ALTER COLUMN words TYPE jsonb",
        "ALTER TABLE turns ALTER COLUMN reply SET NOT NULL",
        "ALTER TABLE turns ADD COLUMN a int, ADD COLUMN b text NOT NULL, ADD COLUMN c int",
        "ALTER TABLE turns ADD CONSTRAINT short CHECK (words < 'x')",
        "CREATE UNIQUE INDEX one ON turns (thread)",
        "CREATE POLICY p ON turns AS RESTRICTIVE USING (true)",
        "DELETE FROM turns",
        "REVOKE SELECT ON turns FROM kioku_app",
    )
    adding = (
        "ALTER TABLE turns ADD COLUMN b text NOT NULL DEFAULT ''",
        "ALTER TABLE turns ADD COLUMN b text, ADD COLUMN c int NOT NULL DEFAULT 0",
        "REVOKE ALL ON FUNCTION f FROM PUBLIC",
        "CREATE TABLE t (a int NOT NULL)",
    )
    assert all(any(re.search(one, text) for one in TAKES) for text in taking)
    assert not any(re.search(one, text) for one in TAKES for text in adding)
