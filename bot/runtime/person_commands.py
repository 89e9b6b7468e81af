"""Operator commands for one person: export everything, or erase it."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from psycopg import OperationalError
from psycopg.errors import InsufficientPrivilege, UndefinedTable

from bot.config import Settings
from bot.memories.person_data import EXPORTED, erase_person, export_person
from bot.queue.queue import migrations
from bot.runtime.commands import database, replace_vectors
from bot.runtime.startup import StartError
from bot.types import PersonErased
from memory import (
    InvalidNamespace,
    Person,
    Pool,
    check_access,
    check_database,
    create_pool,
    transaction,
)

Ask = Callable[[str], str]


def export(settings: Settings, team: str, user: str, to: Path | None) -> None:
    """Write everything about a person to a new file, or to standard output.

    The file can be read by its owner only. Raises `StartError`, also if nothing is stored.
    """

    async def go() -> None:
        person = _person(team, user)
        async with operators_pool(settings) as pool:
            document = await export_person(pool, person, settings)
            if not any(document[name] for name in EXPORTED):
                raise StartError(f"Nothing is stored of {user} in {team}: check both ids.")
            count = len(document["memories"]) + len(document["conversation"])
            await _note(pool, "export", person, count)
        text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
        if to is None:
            sys.stdout.write(text)
        else:
            _write(to, text)
            tell(f"Wrote {count} memories and turns to {to}.")

    asyncio.run(go())


def erase(settings: Settings, team: str, user: str, *, agreed: bool, ask: Ask = input) -> None:
    """Erase a person, once the operator has typed their id again, and print the receipt.

    Raises `StartError` where they have not, or something is still there afterwards.
    """

    async def go() -> None:
        person = _person(team, user)
        if not agreed and _typed(ask, user) != user:
            raise StartError(
                "Nothing was erased: the id was not typed again. (--yes does without.)"
            )
        async with operators_pool(settings) as pool:
            erased = await erase_person(pool, person)
            await _note(pool, "erase", person, erased.total)
        tell(f"Erased at {erased.at.isoformat(timespec='seconds')}: {erased.total} rows.")
        for table, count in sorted(erased.counts.items()):
            tell(f"  {table:20}{count:8} erased{erased.left.get(table, 0):8} left")
        for line in _also(erased):
            tell(line)
        if any(erased.left.values()):
            raise StartError("Something came in meanwhile: run the command again.")

    asyncio.run(go())


def _also(erased: PersonErased) -> list[str]:
    """Return lines about what will be deleted in Slack, and what stays under the person's id."""
    lines = []
    if erased.files:
        lines.append(f"The running application deletes {erased.files} file(s) in Slack.")
    lines.append(
        "Messages in Slack stay; the person can have Kioku's own deleted (Delete All My Data)."
    )
    lines.append(
        f"Stays: {erased.unlearnable_messages} place(s) of messages never to be learned from again,"
    )
    lines.append(f"{erased.operator_actions + 1} line(s) of operator_actions, with this one.")
    if erased.named_in_policy:
        lines.append("The id is in the workspace's policy: `kioku policy` changes that.")
    return lines


def reembed(settings: Settings, *, again: bool) -> None:
    """Re-embed every memory with the configured model, beside the running application.

    Raises `StartError`.
    """
    name = settings.embedding_model

    async def go() -> None:
        async with database(settings) as addresses:
            made = await replace_vectors(settings, addresses.owner, again=again)
        if made:
            tell(f"Embedded {made} memories with {name}. Start every process of Kioku anew")
            tell(f"with KIOKU_EMBEDDING_MODEL={name}; until then it shows the newest only.")
        else:
            tell(f"Every memory is embedded with {name} already.")

    try:
        asyncio.run(go())
    except OperationalError:
        raise StartError(
            "PostgreSQL could not be reached: run the command again, it goes on where it was."
        ) from None
    except UndefinedTable:
        raise StartError("The database is not set up: run `kioku migrate`.") from None
    except InsufficientPrivilege:
        raise StartError(
            "This database user may not change tables: write the address of the database's owner"
            " into DATABASE_OWNER_URL, then run `kioku reembed`."
        ) from None


def _typed(ask: Ask, user: str) -> str:
    try:
        return ask(f"Type {user} to erase everything about this person: ").strip()
    except EOFError:  # nobody is there to type
        return ""


def _person(team: str, user: str) -> Person:
    try:
        return Person(team, user)
    except InvalidNamespace:
        raise StartError(
            "--team and --user are Slack's ids, such as T0123ABCD and U0123ABCD: copy them from"
            " the person's profile in Slack."
        ) from None


@asynccontextmanager
async def operators_pool(settings: Settings) -> AsyncIterator[Pool]:
    """Open a small pool on a database that is set up; raises `StartError`."""
    async with contextlib.AsyncExitStack() as stack:
        conninfo = (await stack.enter_async_context(database(settings))).login
        pool = create_pool(conninfo, min_size=1, max_size=2)
        try:
            await check_access(conninfo)
            stack.push_async_callback(pool.close)
            await pool.open()
            await check_database(pool, None, migrations())
        except OperationalError:
            raise StartError(
                "PostgreSQL could not be reached: check DATABASE_URL and that the server runs."
            ) from None
        yield pool


async def _note(pool: Pool, action: str, person: Person, rows: int) -> None:
    async with transaction(pool) as connection:
        await connection.execute(
            "INSERT INTO operator_actions (operator, action, team_id, user_id, rows)"
            " VALUES (%s, %s, %s, %s, %s)",
            (operator(), action, person.team_id, person.user_id, rows),
        )


def operator() -> str:
    """Return who runs this command, as the machine names them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user that the machine has no name for
        return f"uid {os.getuid()}"


def _write(to: Path, text: str) -> None:
    try:
        descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise StartError(f"{to} is there already: name a new file.") from None
    except OSError as error:
        raise StartError(f"{to} cannot be written ({os.strerror(error.errno or 0)}).") from None


def tell(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201 - a command speaks
