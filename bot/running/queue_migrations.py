"""procrastinate's schema as steps of ours: the whole of it once, later versions' migrations after.

procrastinate ships its schema and, beside it, one SQL file for each change of it, named after the
version that made it. A new database gets the schema, and the files that this schema contains are
recorded with it. A database with an older schema gets the files after that, in order, each once.
Source: https://procrastinate.readthedocs.io/en/stable/howto/production/migrations.html
"""

from __future__ import annotations

from pathlib import Path

from procrastinate.schema import SchemaManager

from memory import Migration

# The first schema of ours, and the last of procrastinate's migrations that it contains.
_FIRST = "procrastinate/3.10"
_CONTAINED = "03.04.00_50_post_add_retry_failed_job_procedure"


def queue_migrations(first: str = _FIRST, contained: str = _CONTAINED) -> list[Migration]:
    """Return the steps that create the queue's tables, or bring them to the installed version.

    `first` is the step that a database was created with, `contained` the last of procrastinate's
    migrations that was part of it.
    """
    folder = Path(SchemaManager.get_migrations_path())
    later = [
        Migration(f"procrastinate/{file.stem}", file.read_text("utf-8"))
        for file in sorted(folder.glob("*.sql"))
        if file.stem > contained
    ]
    schema = Migration(
        first, SchemaManager.get_schema(), includes=tuple(step.name for step in later)
    )
    return [schema, *later]
