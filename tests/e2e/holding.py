"""Holding the real app at one step: PostgreSQL lets it wait there, until it is killed."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import psycopg

_FUNCTION = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(TG_ARGV[0]::bigint);
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$
"""


class Holding:
    """Triggers in the app's database that wait for a lock which the test has.

    All are to be made before the first one holds somebody: that one has a lock on its table.
    Leaving it ends the connections that wait, as the end of the app's process does, and lets
    everything go on.
    """

    def __init__(self, conninfo: str) -> None:
        self._owner = psycopg.connect(conninfo, autocommit=True)
        self._locks = 0

    def __enter__(self) -> Self:
        self._owner.execute(_FUNCTION)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._owner.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND wait_event_type = 'Lock'"
        )
        self._owner.execute("SELECT pg_advisory_unlock_all()")
        self._owner.execute("DROP FUNCTION hold() CASCADE")
        self._owner.close()

    def before(self, change: str, table: str, condition: str) -> int:
        """Hold who makes a `change` in a row of `table` for which `condition` is true."""
        return self._trigger(f"TRIGGER {{}} BEFORE {change} ON {table}", condition)

    def holds(self, lock: int) -> bool:
        """Say whether somebody waits for this lock."""
        found = self._owner.execute(
            "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = %s",
            (lock,),
        )
        return found.fetchone() is not None

    def release(self, lock: int) -> None:
        """Let PostgreSQL go on with the process that waits for this lock."""
        self._owner.execute("SELECT pg_advisory_unlock(%s)", (lock,))

    def _trigger(self, made: str, condition: str) -> int:
        self._locks += 1
        self._owner.execute("SELECT pg_advisory_lock(%s)", (self._locks,))
        named = made.format(f"hold_{self._locks}")
        self._owner.execute(
            f"CREATE {named} FOR EACH ROW WHEN ({condition})"
            f" EXECUTE FUNCTION hold('{self._locks}')".encode()
        )
        return self._locks
