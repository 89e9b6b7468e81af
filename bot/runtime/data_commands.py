"""``kioku export``, ``erase``, ``forgotten`` and ``forget-again``: people's data."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

from psycopg import errors

from bot.config import Settings
from bot.memories.data import EXPORTED, erase_person, export_person
from bot.memories.forgetting import delete_forgotten_texts
from bot.runtime.database_addresses import database
from bot.runtime.problems import Problem
from bot.runtime.wiring import open_pool, operators_pool
from bot.workspaces import uninstall_again, uninstalled_since
from memory import InvalidNamespace, Person, Pool, Selection
from memory.model import MessageKey
from memory.postgres import execute_statement, load_statements, person_statement
from memory.store import forget_again as again
from memory.store import forgotten_since

_SQL = load_statements("bot", "forget_again")
_NOT_OWNER = (
    "Only the database's owner may read what was forgotten: write the owner's address into"
    " DATABASE_OWNER_URL, and run the command again."
)
_CUT_OFF = (
    "The last line of {} is not the one that `kioku forgotten` ends with, so lines may be missing:"
    " use a list that is whole. (If nothing was forgotten since the backup, its one line is `end`,"
    " a tab, and 0.)"
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
        typed = _typed(f"Type {user} to erase everything about this person: ")
        if typed != user:
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
    if erased.files:
        print(f"Files in Slack that the running application deletes: {erased.files}.")
    print(
        "Messages in Slack stay; the person deletes them there (More actions > Delete message)."
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


def _typed(question: str) -> str:
    try:
        return input(question).strip()
    except EOFError:  # standard input is closed
        return ""


async def forgotten(settings: Settings, *, since: datetime) -> None:
    """Print a line for each thing that was forgotten from a time on: ids, separated by tabs.

    The last line has the number of the lines above it, so that a list that was cut off is
    recognized. Raises `Problem` if the user of DATABASE_OWNER_URL, or else of DATABASE_URL, is not
    the owner.
    """
    async with database(settings, beside=True) as addresses:
        try:
            found = await forgotten_since(addresses.owner, since)
        except errors.InsufficientPrivilege:
            raise Problem(_NOT_OWNER) from None
        async with open_pool(addresses.login) as pool:
            uninstalled = await uninstalled_since(pool, since)
    lines = ["\t".join(filter(None, ids)) for ids in found]
    lines += [f"{team}\tuninstalled" for team in uninstalled]
    for line in lines:
        print(line)
    print(_last_line(lines))


def _last_line(lines: Sequence[str]) -> str:
    return f"end\t{len(lines)}"


@dataclass(slots=True)
class _Forgotten:
    """What the lines of `forgotten` name about one person."""

    erasures: list[UUID] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    statements: list[UUID] = field(default_factory=list)
    messages: list[MessageKey] = field(default_factory=list)


@dataclass(slots=True)
class _List:
    """What the lines of `forgotten` name."""

    people: defaultdict[Person, _Forgotten] = field(
        default_factory=lambda: defaultdict(_Forgotten)
    )
    uninstalled: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        """Add what a line names.

        Raises ValueError or `InvalidNamespace` for any other line, also for one with NUL, which
        PostgreSQL cannot store.
        """
        parts = line.split("\t")
        if "\0" in line or "" in parts:
            raise ValueError("The line has an empty part or NUL.")
        match parts:
            case [team, "uninstalled"] if team.isalnum():
                self.uninstalled.append(team)
            case [team, user, "erased", identity]:
                self.people[Person(team, user)].erasures.append(UUID(identity))
            case [team, user, "key", key]:
                self.people[Person(team, user)].keys.append(key)
            case [team, user, "statement", identity]:
                self.people[Person(team, user)].statements.append(UUID(identity))
            case [team, user, "message", channel, ts]:
                self.people[Person(team, user)].messages.append((channel, ts))
            case _:
                raise ValueError(
                    "The line has an unknown part, too few parts or too many."
                )


async def forget_again(settings: Settings, *, file: Path) -> None:
    """Delete what a file's lines name. Raises `Problem` for a bad line before deleting anything.

    A person is erased again only if the database does not have that erasure, so a person who came
    back before the backup stays. A workspace that removed the app leaves again, with its grace
    period. Where memory was off in the backup it stays off. What was said after the backup is not
    read from Slack, and the kinds of conversations are looked up again.
    """
    try:
        lines = file.read_text("utf-8").splitlines()  # noqa: ASYNC240 - nothing else runs
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{file} cannot be read ({error}).") from None
    named = _List()
    for number, line in enumerate(lines[:-1], 1):
        try:
            named.add(line)
        except (InvalidNamespace, ValueError):
            problem = f"{file}, line {number}, is not a line of `kioku forgotten`."
            raise Problem(problem) from None
    if lines[-1:] != [_last_line(lines[:-1])]:
        raise Problem(_CUT_OFF.format(file))
    async with operators_pool(settings) as pool:
        await execute_statement(pool, _SQL["end_open_messages"])
        await execute_statement(pool, _SQL["forget_kinds"])
        await execute_statement(pool, _SQL["forget_marks"])
        for person, forgotten_of_person in named.people.items():
            await _forget_again(pool, person, forgotten_of_person)
        for team in named.uninstalled:
            await uninstall_again(
                pool, team, grace_hours=settings.uninstall_grace_hours
            )
    names = len(lines) - 1
    print(f"Forgotten again: {names} lines of {len(named.people)} people.")


async def _forget_again(pool: Pool, person: Person, named: _Forgotten) -> None:
    for identity in named.erasures:
        values = {"id": identity}
        if not await person_statement(pool, person, _SQL["is_erased"], values):
            await erase_person(pool, person, identity, keeps_off=True)
    selection = Selection(
        keys=named.keys, statements=named.statements, messages=named.messages
    )
    await again(pool, person, selection, delete_forgotten_texts)
