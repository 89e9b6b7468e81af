"""``kioku export``, ``erase``, ``forgotten`` and ``forget-again``: people's data."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from psycopg import errors
from pydantic import BaseModel, Field, ValidationError

from bot.config import Settings
from bot.data.person import EXPORTED, erase_person, export_person
from bot.forgetting.forgetting import end_texts
from bot.runtime.database_addresses import database
from bot.runtime.problems import Problem
from bot.runtime.wiring import operators_pool
from memory import InvalidNamespace, Person, Selection
from memory.model import MessageKey
from memory.postgres import execute_statement, load_statements, person_statement
from memory.store import forget_again as again
from memory.store import forgotten_since

_SQL = load_statements("bot.forgetting", "forget_again")
_NOT_OWNER = (
    "Only the database's owner may read what was forgotten: write the owner's address into"
    " DATABASE_OWNER_URL, and run the command again."
)
_NOT_WHOLE = (
    "{} is not the whole output of `kioku forgotten`: use a list that is whole. (If nothing was"
    ' forgotten since the backup, it is {{"forgotten": []}}.)'
)
_NOTHING = "Nothing is stored about {0.user_id} in {0.team_id}: check both ids."


async def export(settings: Settings, *, team: str, user: str) -> None:
    """Print everything about a person. Raises `Problem` if nothing is stored."""
    person = Person(team, user)
    async with operators_pool(settings) as pool:
        document = await export_person(pool, person, settings)
    if not any(document[name] for name in EXPORTED):
        raise Problem(_NOTHING.format(person))
    print(json.dumps(document, ensure_ascii=False, indent=2))


async def erase(settings: Settings, *, team: str, user: str, yes: bool) -> None:
    """Erase a person, once the operator has typed their id again, and print the receipt.

    Where memory is off for the person it stays off, as with *Delete All My Data*. Raises `Problem`,
    also if something is still there.
    """
    person = Person(team, user)
    if not yes:
        print(
            f"Type {user} to erase everything about this person: ", end="", flush=True
        )
        if sys.stdin.readline().strip() != user:
            raise Problem(
                "Nothing was erased: the id was not typed again. (--yes does without.)"
            )
    async with operators_pool(settings) as pool:
        erased = await erase_person(pool, person, keeps_off=True)
    if not erased.total and not any(erased.left.values()):
        raise Problem(_NOTHING.format(person))
    at = erased.at.isoformat(timespec="seconds")
    print(f"Erased at {at}: {erased.total} rows.")
    for table, count in sorted(erased.counts.items()):
        left = erased.left.get(table, 0)
        print(f"  {table:20}{count:8} erased{left:8} left")
    print(
        "Messages in Slack stay, and files of exports; the person deletes them there"
        " (More actions > Delete message)."
    )
    print(
        "Answers to other people stay, with what they quote of the person in a thread."
    )
    kept = erased.never_formed_messages
    print(
        f"Kept: {kept} message reference(s) (channel and time), which form no memory again."
    )
    if erased.switches:
        print(
            f"Kept: {erased.switches} place(s) where memory is off, so that it stays off."
        )
    if any(erased.left.values()):
        raise Problem("New data was stored during the erasure: run the command again.")


# PostgreSQL stores no text with NUL.
_Text: TypeAlias = Annotated[str, Field(pattern=r"^[^\x00]*$")]


class _Forgetting(BaseModel):
    """A row of `forgotten`: the ids of what a person forgot at a time."""

    id: UUID
    team_id: str
    user_id: str
    at: datetime
    what: Literal["forgetting", "erasure"]
    keys: list[_Text]
    statements: list[UUID]
    channels: list[_Text]
    times: list[_Text]


class _Forgotten(BaseModel):
    """What ``kioku forgotten`` prints."""

    forgotten: list[_Forgetting]


async def forgotten(settings: Settings, *, since: datetime) -> None:
    """Print what was forgotten from a time on, as one JSON object that has ids only.

    Raises `Problem` if the user of DATABASE_OWNER_URL, or else of DATABASE_URL, is not the owner.
    """
    async with database(settings, beside=True) as addresses:
        try:
            found = await forgotten_since(addresses.owner, since)
        except errors.InsufficientPrivilege:
            raise Problem(_NOT_OWNER) from None
    print(_Forgotten.model_validate({"forgotten": found}).model_dump_json())


async def forget_again(settings: Settings, *, file: Path) -> None:
    """Delete what a file names. Raises `Problem` before deleting anything if it is not whole.

    A person is erased again only if the database does not have that erasure, so a person who came
    back before the backup stays. Where memory was off in the backup it stays off. What was said
    after the backup is not read from Slack, and the kinds of conversations are looked up again.
    """
    people: dict[Person, list[_Forgetting]] = {}
    try:
        listed = _Forgotten.model_validate_json(file.read_bytes())  # noqa: ASYNC240 - nothing else runs
        for one in listed.forgotten:
            person = Person(one.team_id, one.user_id)
            people.setdefault(person, []).append(one)
    except OSError as error:
        raise Problem(f"{file} cannot be read ({error}).") from None
    except (InvalidNamespace, ValidationError):
        raise Problem(_NOT_WHOLE.format(file)) from None
    async with operators_pool(settings) as pool:
        await execute_statement(pool, _SQL["end_open_messages"])
        await execute_statement(pool, _SQL["forget_kinds"])
        await execute_statement(pool, _SQL["forget_installation"])
        for person, forgettings in people.items():
            keys: list[str] = []
            statements: list[UUID] = []
            messages: list[MessageKey] = []
            for one in forgettings:
                keys += one.keys
                statements += one.statements
                messages += zip(one.channels, one.times, strict=False)
                if one.what == "erasure":
                    # The database may have this erasure.
                    found = await person_statement(
                        pool, person, _SQL["is_erased"], {"id": one.id}
                    )
                    if not found:
                        await erase_person(pool, person, one.id, keeps_off=True)
            selection = Selection(keys=keys, statements=statements, messages=messages)
            await again(pool, person, selection, end_texts)
    print(f"Forgotten again: what {file} names, of {len(people)} people.")
