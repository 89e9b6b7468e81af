"""The advisory transaction lock of a person, under which their memories are written."""

from __future__ import annotations

from typing import LiteralString

EXCLUSIVE: LiteralString = "pg_advisory_xact_lock(hashtextextended({}, 0))"
NO_FORGETTING: LiteralString = (
    "(SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))) IS NOT NULL"
)
"""A condition, always true, that waits for a running write and locks against others.

Its parameter is `Person.prefix`. The next statement of the transaction sees what was written.
"""
