"""The database that a command uses: its addresses, and the embedded server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.config import Settings
from bot.runtime.problems import Problem
from memory import EmbeddedPostgres

_NO_DATABASE = (
    "There is no database in {}: run this command in the folder in which `kioku up` runs, or set"
    " DATABASE_URL."
)


class NoDatabase(Problem):
    """There is no embedded database yet in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(_NO_DATABASE.format(folder))


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The addresses of the database: for the serving user (`login`), and for its owner."""

    login: str
    owner: str


def embedded_name(settings: Settings) -> str:
    """Return the name of the embedded database: that of the workspace, or of the playground."""
    return "playground" if settings.slack_bot_token is None else "kioku"


@asynccontextmanager
async def database(
    settings: Settings, *, beside: bool = False
) -> AsyncIterator[Addresses]:
    """Yield the addresses of the database of `settings`; an embedded server runs meanwhile.

    With `beside` the embedded server of another process, such as ``kioku up``, is used if it runs,
    and none is made. Without an owner's address `DATABASE_URL` is used for both. Raises
    `NoDatabase`.
    """
    if (url := settings.database_url) is not None:
        owner = settings.database_owner_url or url
        yield Addresses(login=url.get_secret_value(), owner=owner.get_secret_value())
        return
    folder = settings.data_dir.resolve()
    server = EmbeddedPostgres(folder)
    if beside and not server.exists():
        raise NoDatabase(folder)
    name = embedded_name(settings)
    addresses = Addresses(login=server.login_dsn(name), owner=server.dsn(name))
    if beside and await asyncio.to_thread(server.is_running):
        if not await asyncio.to_thread(server.has_database, name):
            raise NoDatabase(folder)
        yield addresses
        return
    starting = asyncio.ensure_future(asyncio.to_thread(server.start))
    try:
        await asyncio.shield(starting)
        if beside and not await asyncio.to_thread(server.has_database, name):
            raise NoDatabase(folder)
        await asyncio.to_thread(server.ensure_database, name)
        # For pg_dump and psql: the socket is elsewhere if its path in this folder cannot be one.
        (folder / "address").write_text(f"{addresses.owner}\n", "utf-8")
        yield addresses
    finally:
        # A thread goes on although its caller is cancelled.
        await asyncio.wait({starting})
        await asyncio.to_thread(server.stop)
