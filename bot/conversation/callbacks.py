"""Types of callbacks, most of which run within the transaction of their caller."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory import Gone, Namespace, Person

# Shows the notice of a turn, if it has one, when its answer has been given.
RepeatNotice: TypeAlias = Callable[[AsyncConnection[DictRow], Person, UUID], Awaitable[None]]
# Shows the notices that name what is being forgotten without it.
UpdateNotices: TypeAlias = Callable[[AsyncConnection[DictRow], Person, Gone], Awaitable[None]]
# Schedules formation of the unformed words of a namespace.
ScheduleFormation: TypeAlias = Callable[[AsyncConnection[DictRow], Namespace], Awaitable[None]]
# Schedules immediate formation of a person's unformed words; returns the number of messages.
FormNow: TypeAlias = Callable[[Person], Awaitable[int]]
# Schedules updates from messages that were changed while the memories made of them were gone.
UpdateFromChanged: TypeAlias = Callable[[Person], Awaitable[None]]
# Schedules formation of a person's unformed words in each audience.
ScheduleAllFormation: TypeAlias = Callable[[AsyncConnection[DictRow], Person], Awaitable[None]]
