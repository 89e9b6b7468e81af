"""Callbacks that run within a caller's transaction: notices and formation of what changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory import Memory, Person


class Withdraw(Protocol):
    """Retracts the notices that name memories, if the caller's transaction forgets them."""

    async def __call__(
        self,
        connection: AsyncConnection[DictRow],
        person: Person,
        memories: Sequence[Memory] | None,
    ) -> None:
        """Note which notices name `memories`, None for all, while the ledger still says so."""


async def withdraw_nothing(
    connection: AsyncConnection[DictRow], person: Person, memories: Sequence[Memory] | None
) -> None:
    """Take nothing back, where there is no Slack."""
    del connection, person, memories


class Announce(Protocol):
    """Lets the person be told of changes and questions, if the caller's transaction commits."""

    async def __call__(
        self,
        connection: AsyncConnection[DictRow],
        person: Person,
        turn: UUID,
        changes: Sequence[UUID],
        questions: Sequence[UUID] = (),
    ) -> UUID | None:
        """Add a notice that is shown below the reply of `turn`; return its id."""


async def announce_nothing(
    connection: AsyncConnection[DictRow],
    person: Person,
    turn: UUID,
    changes: Sequence[UUID],
    questions: Sequence[UUID] = (),
) -> UUID | None:
    """Add nothing, where there is no Slack."""
    del connection, person, turn, changes, questions
    return None


class Renew(Protocol):
    """Shows the notice below a reply again, if the caller's transaction commits."""

    async def __call__(
        self, connection: AsyncConnection[DictRow], person: Person, turn: UUID
    ) -> None:
        """Note that the reply of `turn` was overwritten, with the notice below it."""


async def renew_nothing(connection: AsyncConnection[DictRow], person: Person, turn: UUID) -> None:
    """Show nothing, where there is no Slack."""
    del connection, person, turn


class FormWaiting(Protocol):
    """Schedules formation of a person's unformed words, if the caller's transaction commits."""

    async def __call__(self, connection: AsyncConnection[DictRow], person: Person) -> None:
        """Schedule formation for each audience with unformed words."""
