"""procrastinate's schema as a step of `kioku migrate`.

A newer procrastinate needs its own migrations as files of ``bot/migrations``. Source:
https://procrastinate.readthedocs.io/en/stable/howto/production/migrations.html
"""

from __future__ import annotations

from procrastinate.schema import SchemaManager

from memory.postgres import Migration, packaged_migrations

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


def migrations() -> list[Migration]:
    """Return the schema steps of the bot: the queue's own, then ours."""
    queue = Migration("procrastinate/3.10", f"{SchemaManager.get_schema()};{QUEUE_RIGHTS}")
    return [queue, *packaged_migrations("bot")]
