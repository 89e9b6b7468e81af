"""Types of callbacks, most of which run within the transaction of their caller."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory import Namespace, Person

# Shows the notice of a turn, if it has one, when its answer has been given.
RepeatNotice: TypeAlias = Callable[[AsyncConnection[DictRow], Person, UUID], Awaitable[None]]
# Schedules formation of the unformed words of a namespace.
ScheduleFormation: TypeAlias = Callable[[AsyncConnection[DictRow], Namespace], Awaitable[None]]
