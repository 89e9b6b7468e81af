"""procrastinate's schema, and its later migrations, as steps of `kioku migrate`.

procrastinate ships its schema and, beside it, one SQL file for each change of it, named after the
version that made it. A new database gets the schema, and the files that this schema contains are
recorded with it. A database with an older schema gets the files after that, in order, each once.
Source: https://procrastinate.readthedocs.io/en/stable/howto/production/migrations.html
"""

from __future__ import annotations

from pathlib import Path

from procrastinate.schema import SchemaManager

from memory.postgres import Migration, packaged_migrations

# The first schema of ours, and the last of procrastinate's migrations that it contains.
_FIRST = "procrastinate/3.10"
_CONTAINED = "03.04.00_50_post_add_retry_failed_job_procedure"

QUEUE_ROLE = "kioku_queue"
"""The role that may use the queue's tables, as kioku_app may. The login inherits it: procrastinate
sets no role."""
QUEUE_RIGHTS = """
DO $$
DECLARE
    relation record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'kioku_queue') THEN
        BEGIN
            CREATE ROLE kioku_queue NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END IF;
    GRANT USAGE ON SCHEMA public TO kioku_queue;
    FOR relation IN
        SELECT oid::regclass AS name, relkind FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relname LIKE 'procrastinate%'
            AND relkind IN ('r', 'S')
    LOOP
        IF relation.relkind = 'r' THEN
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO kioku_queue,'
                ' kioku_app', relation.name);
        ELSE
            EXECUTE format('GRANT USAGE, SELECT ON SEQUENCE %s TO kioku_queue, kioku_app',
                relation.name);
        END IF;
    END LOOP;
END
$$;
"""


def queue_migrations(first: str = _FIRST, contained: str = _CONTAINED) -> list[Migration]:
    """Return the steps that create the queue's tables, or bring them to the installed version.

    `first` is the step that a database was created with, `contained` the last of procrastinate's
    migrations that was part of it.
    """
    folder = Path(SchemaManager.get_migrations_path())
    later = [
        Migration(f"procrastinate/{file.stem}", f"{file.read_text('utf-8')}\n;{QUEUE_RIGHTS}")
        for file in sorted(folder.glob("*.sql"))
        if file.stem > contained
    ]
    schema = Migration(
        first, SchemaManager.get_schema(), includes=tuple(step.name for step in later)
    )
    return [schema, *later, Migration("procrastinate/rights", QUEUE_RIGHTS)]


def migrations() -> list[Migration]:
    """Return the schema steps of the bot: the queue's own, then ours."""
    return [*queue_migrations(), *packaged_migrations("bot")]
