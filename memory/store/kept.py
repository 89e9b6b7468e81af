"""What people keep for a conversation: messages of theirs, with which anybody there is answered.

A line is no memory about a person. It is read in its own conversation only: a row-level security
policy compares its conversation with the one that the transaction names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from memory.model.namespace import Person
from memory.model.statement import MessageKey
from memory.model.text import estimated_tokens
from memory.postgres.database import PersonTransaction, Pool, Query, execute_statement
from memory.postgres.statements import load_statements

KEPT_TOKENS = 200
"""The most tokens of a line, by `memory.model.estimated_tokens`."""
KEPT_IN_CONVERSATION = 500
KEPT_BY_PERSON = 50
"""The most lines of one person in one conversation."""
_MOST_SHOWN = 40
_MOST_OF_AUTHOR = 10
_SHOWN_TOKENS = 2_000

_SQL = load_statements("memory", "kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLine:
    """A message that its author, `user_id`, keeps for a conversation: its `text` as it was typed.

    `decision`: the author keeps it as a decision.
    """

    id: UUID
    team_id: str
    channel_id: str
    ts: str
    thread_ts: str
    user_id: str
    text: str
    decision: bool
    kept_at: datetime

    @property
    def author(self) -> Person:
        """Who wrote the message, and keeps it."""
        return Person(self.team_id, self.user_id)

    @property
    def message(self) -> MessageKey:
        """The message."""
        return self.channel_id, self.ts

    @property
    def said_at(self) -> datetime:
        """When the message was written."""
        return datetime.fromtimestamp(float(self.ts), UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLine:
    """A message of a person that is to be kept for its conversation, as `KeptLine` has it."""

    channel: str
    ts: str
    thread_ts: str
    text: str
    decision: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedLine:
    """A line that has just ended, with where its post is, or may be since a time of the epoch."""

    id: UUID
    channel_id: str
    thread_ts: str
    kept_at: datetime
    line_ts: str | None = None
    posting_since: float | None = None


def kept_settings(team_id: str, channel: str) -> dict[str, str]:
    """Return the settings of a transaction that reads what is kept for a conversation.

    The caller knows from Slack that whoever reads it is there.
    """
    return {"kioku.team": team_id, "kioku.channel": channel}


def kept_query(team_id: str, channel: str) -> Query:
    """Return the query for the columns of each `KeptLine` of a conversation, newest first."""
    values = {"team": team_id, "channel": channel}
    return Query(_SQL["of_conversation"], values, prepare=True)


async def read_kept(pool: Pool, team_id: str, channel: str) -> list[KeptLine]:
    """Return what is kept for a conversation, newest first."""
    query = kept_query(team_id, channel)
    scope = kept_settings(team_id, channel)
    rows = await execute_statement(pool, query.statement, query.values, scope=scope)
    return [KeptLine(**row) for row in rows]


async def find_kept(pool: Pool, team_id: str, channel: str, ts: str) -> KeptLine | None:
    """Return the line of a message, if it is kept."""
    values = {"team": team_id, "channel": channel, "ts": ts}
    scope = kept_settings(team_id, channel)
    rows = await execute_statement(pool, _SQL["of_message"], values, scope=scope)
    return KeptLine(**rows[0]) if rows else None


def shown_lines(newest_first: Iterable[KeptLine]) -> list[KeptLine]:
    """Return the lines that stand in a prompt, in the order in which they were kept.

    They are the newest forty, at most ten of one author. What does not fit into 2,000 tokens beside
    the newer ones is passed over, so that no line keeps an older one out that would fit.
    """
    shown: list[KeptLine] = []
    of_author: Counter[str] = Counter()
    left = _SHOWN_TOKENS
    for line in newest_first:
        tokens = estimated_tokens(line.text)
        if tokens > left or of_author[line.user_id] == _MOST_OF_AUTHOR:
            continue
        if len(shown) == _MOST_SHOWN:
            break
        shown.append(line)
        of_author[line.user_id] += 1
        left -= tokens
    return shown[::-1]


async def count_kept(transaction: PersonTransaction, channel: str) -> dict[str, int]:
    """Return how many lines a conversation has, `here`, and how many of them are the `own` ones.

    The transaction has the `kept_settings` of the conversation, too.
    """
    [row] = await transaction.fetch(_SQL["count"], {"channel": channel})
    return row


async def keep(transaction: PersonTransaction, line: NewLine) -> UUID | None:
    """Keep a message of the person; return its line's id, or None if it is kept already.

    The caller has judged the words.
    """
    added = await transaction.fetch(_SQL["add"], asdict(line))
    return added[0]["id"] if added else None


async def end_kept(
    transaction: PersonTransaction, line: UUID | None, *, days: int
) -> list[EndedLine]:
    """Delete a line of the person, or all that are older than `days`; return those that were."""
    values: dict[str, Any] = {"id": line, "days": days}
    ended = await transaction.fetch(_SQL["end"], values)
    return [EndedLine(**row) for row in ended]


async def change_channel_of_kept(
    transaction: PersonTransaction, old: str, new: str
) -> None:
    """Replace the id of a conversation in the person's lines."""
    await transaction.execute(_SQL["change_channel"], {"old": old, "new": new})
