"""The queue's tables are those of the installed procrastinate."""

from __future__ import annotations

from pathlib import Path

from procrastinate.schema import SchemaManager


def test_a_newer_procrastinate_needs_a_migration_here() -> None:
    """A file after this one is one that "procrastinate/3.10" does not contain."""
    names = [
        file.stem for file in Path(SchemaManager.get_migrations_path()).glob("*.sql")
    ]
    assert max(names) == "03.04.00_50_post_add_retry_failed_job_procedure"
