"""What people have asked for and is still being done: each thing once, and for nobody erased."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from memory import Person, Pool
from memory.postgres import PersonTransaction, load_statements, transaction

_SQL = load_statements("bot", "requests_under_way")


class AlreadyUnderWay(Exception):
    """The same thing is already being done for the same person."""


class UnderWay:
    """What people's clicks are doing in this process now, so that each thing is done only once."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    @contextmanager
    def once(self, name: str) -> Iterator[None]:
        """Hold `name` during the block. Raises `AlreadyUnderWay` if it is held already."""
        if name in self._names:
            raise AlreadyUnderWay
        self._names.add(name)
        try:
            yield
        finally:
            self._names.discard(name)


class Overtaken(Exception):
    """Since a request began, its person was erased, or its message was edited or deleted."""


async def begin_request(
    pool: Pool, person: Person, *, channel: str = "", ts: str = ""
) -> str:
    """Store that a request begins, before a model is called; return its id for `check_request`.

    `channel` and `ts` name the message that it is about, if there is one. The request is a row in
    `requests_under_way` for an hour. Erasing the person deletes it. No other row shows an erasure,
    because settings are stored again as soon as Slack is asked who the person is.
    """
    request = str(uuid4())
    async with transaction(
        pool, person.settings, lock=person.prefix, shared=True
    ) as connection:
        values = {**person.ids, "id": request, "channel": channel, "ts": ts}
        await connection.execute(_SQL["begin"], values)
    return request


async def note_message_changed(
    transaction: PersonTransaction, channel: str, ts: str
) -> None:
    """Record in the requests about a message that are under way that it was edited or deleted.

    It waits for a transaction that has checked such a request, so the next statement of the
    caller's transaction sees what that one stored.
    """
    values = {"channel": channel, "ts": ts}
    await transaction.execute(_SQL["note_message_changed"], values)


async def check_request(transaction: PersonTransaction, request: str) -> None:
    """Check a request in the transaction that stores its result.

    Raises `Overtaken`. Until the transaction ends `note_message_changed` waits.
    """
    found = await transaction.fetch(_SQL["check"], {"id": request})
    if not found or found[0]["changed"]:
        raise Overtaken
