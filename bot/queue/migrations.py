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


def migrations() -> list[Migration]:
    """Return the schema steps of the bot: the queue's own, then ours."""
    queue = Migration("procrastinate/3.10", SchemaManager.get_schema())
    return [queue, *packaged_migrations("bot")]
