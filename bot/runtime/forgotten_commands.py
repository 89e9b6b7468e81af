"""``kioku forgotten`` and ``forget-again``: what was forgotten does not return from a backup."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import LiteralString

from bot.config import Settings
from bot.conversation.history import delete_texts
from bot.memories.person_data import erase_person
from bot.runtime.database import database
from bot.runtime.operators import in_database, owner_required
from bot.runtime.output import tell
from bot.runtime.problem import Problem
from memory import Person, Pool, forget_again, forgotten_since, person_statement

_LINE = re.compile(
    r"([A-Z0-9]{1,32})\t([A-Z0-9]{1,32})\t(?:(erased)|key\t([^\t\0]{1,512})"
    r"|message\t([A-Z0-9]{1,32})\t([0-9]{1,10}[.][0-9]{1,9}))"
)
_BLANK: LiteralString = (
    "UPDATE turns SET question = '', words = '', reply = NULL,"
    " formed_at = COALESCE(formed_at, now()) WHERE team_id = %(team)s AND user_id = %(user)s"
    " AND channel_id || '/' || question_ts = ANY(%(messages)s)"
)


async def forgotten(settings: Settings, *, since: datetime) -> None:
    """Print a line for each thing that was forgotten from a time on: ids, separated by tabs."""
    async with owner_required("forgotten"), database(settings, beside=True) as addresses:
        for ids in await forgotten_since(addresses.owner, since):
            tell("\t".join(filter(None, ids)))


def forget_from(settings: Settings, *, file: Path) -> None:
    """Delete what a file's lines name. Raises `Problem` for a bad line, with nothing done."""
    people: dict[Person, list[re.Match[str]]] = defaultdict(list)
    try:
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            if (found := _LINE.fullmatch(line)) is None:
                raise Problem(f"{file}, line {number}, is not a line of `kioku forgotten`.")
            people[Person(found[1], found[2])].append(found)
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{file} cannot be read ({error}).") from None
    in_database(settings, partial(_forget, people=people))
    tell(f"Forgotten again: {sum(map(len, people.values()))} lines of {len(people)} people.")


async def _forget(pool: Pool, people: dict[Person, list[re.Match[str]]]) -> None:
    for person, lines in people.items():
        if any(line[3] for line in lines):
            await erase_person(pool, person)
        messages = [(line[5], line[6]) for line in lines if line[5]]
        blank = partial(delete_texts, person=person, update_notices=_no_notices)
        await forget_again(pool, person, [line[4] for line in lines if line[4]], messages, blank)
        said = [f"{channel}/{ts}" for channel, ts in messages]
        await person_statement(pool, person, _BLANK, {**person.ids, "messages": said})


async def _no_notices(*_: object) -> None:
    """Update no notice in Slack: no process serves yet."""
