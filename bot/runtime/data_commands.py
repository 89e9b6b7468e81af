"""``kioku export`` and ``erase``: the data of one person."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from bot.config import Settings
from bot.memories.data import EXPORTED, erase_person, export_person
from bot.runtime.operators import in_database
from bot.runtime.output import tell
from bot.runtime.problem import ArgumentProblem, Problem
from bot.types import PersonErased
from memory import InvalidNamespace, Person, Pool


def export(settings: Settings, *, team: str, user: str, out: Path | None) -> None:
    """Write everything about a person to a new file, or to standard output.

    The file can be read by its owner only. Raises `Problem`, also if nothing is stored.
    """
    person = _person(team, user)

    async def read(pool: Pool) -> dict[str, Any]:
        document = await export_person(pool, person, settings)
        if not any(document[name] for name in EXPORTED):
            raise _nothing_stored(person)
        return document

    document = in_database(settings, read)
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    if out is None:
        sys.stdout.write(text)
        return
    _write(out, text)
    count = len(document["memories"]) + len(document["conversation"])
    tell(f"Wrote {count} memories and turns to {out}.")


def erase(settings: Settings, *, team: str, user: str, yes: bool) -> None:
    """Erase a person, once the operator has typed their id again, and print the receipt.

    Raises `Problem` where they have not, where nothing is stored, or where something is still
    there afterwards.
    """
    person = _person(team, user)
    if not yes:
        _confirm(user)

    async def erased_now(pool: Pool) -> PersonErased:
        erased = await erase_person(pool, person)
        if not erased.total and not any(erased.left.values()):
            raise _nothing_stored(person)
        return erased

    erased = in_database(settings, erased_now)
    tell(f"Erased at {erased.at.isoformat(timespec='seconds')}: {erased.total} rows.")
    for table, count in sorted(erased.counts.items()):
        tell(f"  {table:20}{count:8} erased{erased.left.get(table, 0):8} left")
    _tell_what_stays(erased)
    if any(erased.left.values()):
        raise Problem("New data was stored during the erasure: run the command again.")


def _confirm(user: str) -> None:
    try:
        typed = input(f"Type {user} to erase everything about this person: ").strip()
    except EOFError:  # standard input is closed
        typed = ""
    if typed != user:
        raise Problem("Nothing was erased: the id was not typed again. (--yes does without.)")


def _tell_what_stays(erased: PersonErased) -> None:
    """Print what will be deleted in Slack, and what stays under the person's id."""
    if erased.files:
        files = "1 file" if erased.files == 1 else f"{erased.files} files"
        tell(f"The running application deletes {files} in Slack.")
    tell("Messages in Slack stay; the person deletes them there (More actions > Delete message).")
    kept = erased.never_formed_messages
    references, them = f"{kept} message references", "them"
    if kept == 1:
        references, them = "1 message reference", "it"
    tell(f"Kept: {references} (channel and time), so that no memory is formed from {them} again.")


def _nothing_stored(person: Person) -> Problem:
    return Problem(f"Nothing is stored about {person.user_id} in {person.team_id}: check both ids.")


def _person(team: str, user: str) -> Person:
    try:
        return Person(team, user)
    except InvalidNamespace:
        raise ArgumentProblem(
            "--team and --user are Slack's ids, such as T0123ABCD and U0123ABCD: copy them from"
            " the person's profile in Slack."
        ) from None


def _write(to: Path, text: str) -> None:
    try:
        descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Problem(f"{to} is there already: name a new file.") from None
    except OSError as error:
        raise Problem(f"{to} cannot be written ({os.strerror(error.errno or 0)}).") from None
