"""The `home_views` table: who has opened their Home, and what of it they look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.locale import Language
from bot.views.home_list import ListPosition
from memory import Person, redact

_MINE: LiteralString = "team_id = %(team)s AND user_id = %(user)s"
# As long as an Undo works.
_WHILE: LiteralString = "interval '10 minutes'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A Home that a person has opened.

    `shown` is a digest of what it shows, ``""`` where that is not known; `slack_hash` is Slack's
    name for it.
    """

    position: ListPosition
    shown: str
    slack_hash: str


async def note_opened(
    connection: AsyncConnection[DictRow], person: Person, *, slack_hash: str
) -> None:
    """Note that a person has opened their Home: the first page of everything.

    `slack_hash` names what Slack shows now, ``""`` for nothing. What a click was answered with is
    taken away, unless it may hold an Undo that still works.
    """
    await connection.execute(
        "INSERT INTO home_views AS known (team_id, user_id) VALUES (%(team)s, %(user)s)"
        " ON CONFLICT (team_id, user_id) DO UPDATE SET opened_at = now(), kind = '', page = 1,"
        " words = '', words_until = NULL, said_until = NULL, shown = CASE"
        " WHEN known.slack_hash = %(hash)s"
        " AND (known.said_until IS NULL OR known.said_until > now()) THEN known.shown ELSE '' END",
        {**person.ids, "hash": slack_hash},
    )


async def read_opened(connection: AsyncConnection[DictRow], person: Person) -> Opened | None:
    """Return what a person's Home shows; None where they never opened it, or were erased."""
    found = await connection.execute(
        "SELECT kind, page, CASE WHEN words_until > now() THEN words ELSE '' END AS words,"
        f" shown, slack_hash FROM home_views WHERE {_MINE}",
        person.ids,
    )
    row = await found.fetchone()
    if row is None:
        return None
    return Opened(
        position=ListPosition(kind=row["kind"], page=row["page"], words=row["words"]),
        shown=row["shown"],
        slack_hash=row["slack_hash"],
    )


async def note_in_use(connection: AsyncConnection[DictRow], person: Person) -> None:
    """Note that a person has their Home before them; of one who was erased, nothing was known."""
    await connection.execute(
        "INSERT INTO home_views (team_id, user_id) VALUES (%(team)s, %(user)s)"
        " ON CONFLICT (team_id, user_id) DO NOTHING",
        person.ids,
    )


async def note_shown(
    connection: AsyncConnection[DictRow],
    person: Person,
    language: Language,
    opened: Opened,
    *,
    banner: bool,
) -> None:
    """Store what a Home shows now, unless the person was erased meanwhile."""
    position = opened.position
    words = redact(position.words).text
    await connection.execute(
        "UPDATE home_views SET language = %(language)s, kind = %(kind)s, page = %(page)s,"
        " words_until = CASE WHEN %(words)s = '' THEN NULL WHEN words = %(words)s THEN words_until"
        f" ELSE now() + {_WHILE} END, words = %(words)s, shown = %(shown)s, slack_hash = %(hash)s,"
        f" said_until = CASE WHEN %(said)s THEN now() + {_WHILE} END WHERE {_MINE}",
        {
            **person.ids,
            "language": language,
            "kind": position.kind,
            "page": position.page,
            "words": words,
            "shown": opened.shown,
            "hash": opened.slack_hash,
            "said": banner,
        },
    )
