"""Statements. Pure: no database.

A memory is not stored. What is stored is each thing that a person said about it: a statement, with
the fields it says and the audience that heard it. `memory.model.fold` adds a memory's statements
up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from memory.model.dates import EARLIEST, slack_time
from memory.model.schemas import (
    PROMISE_KIND,
    Content,
    Subject,
    kind_and_subject,
    level,
    subject_fields,
    subject_key,
)
from memory.model.text import Json

Act: TypeAlias = Literal["say", "remove", "move"]
"""What a statement does to its memory: it says fields, takes the memory back, or moves it."""

Actor: TypeAlias = Literal["formation", "tool", "command", "modal", "question"]
MessageKey: TypeAlias = tuple[str, str]  # channel, ts

MAX_SOURCES = 20
"""The number of sources that a memory names: the first one and the newest."""


def message_key(channel: str | None, ts: str | None) -> MessageKey | None:
    """Return a message by its channel and ts; None if one of them is missing."""
    if channel and ts:
        return channel, ts
    return None


def messages_of(rows: Iterable[Mapping[str, Any]]) -> list[MessageKey]:
    """Return the messages that rows or sources name by ``channel`` and ``ts``; some name none."""
    keys = [message_key(row.get("channel"), row.get("ts")) for row in rows]
    return [key for key in keys if key is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One thing that a person said, wrote in a form or decided about the memory `key`.

    `content` has the fields that it says, always with the field that names the subject; of a move
    it has those that the memory had when it was moved, and of a removal it is None. `audience` is
    where it was said, or, for a move, where the memory goes.
    `evidence` has the person's words as typed, from the message at `channel` and `ts`, both None
    for a form or a tool. `said_at` is the time of the message, `stored_at` when it was stored, and
    `zone` the person's time zone when it was said. After `until` the statement no longer counts.
    `may_harm`: somebody may come to harm if it is not known. `left_out`: the model's provider
    declines its memory as it was then. `batch` is the same for all statements
    of one notice. `number` is the order in which they were stored.
    """

    id: UUID
    key: str
    audience: str
    kind: str
    act: Act
    actor: Actor
    said_at: datetime
    batch: UUID
    content: Content | None = None
    evidence: str = ""
    channel: str | None = None
    ts: str | None = None
    zone: str = "UTC"
    until: datetime | None = None
    may_harm: bool = False
    left_out: bool = False
    number: int = 0
    withdrawn_at: datetime | None = None
    stored_at: datetime = EARLIEST

    @property
    def message(self) -> MessageKey | None:
        """The message that it comes from; None for a form or a tool."""
        return message_key(self.channel, self.ts)

    @property
    def is_click(self) -> bool:
        """Whether the person typed nothing: a click only repeats or rates what was said before."""
        return self.message is None and not self.evidence

    @property
    def sentence(self) -> tuple[MessageKey | None, str]:
        """The message that says it, and the words in it."""
        return self.message, self.evidence

    @property
    def order(self) -> tuple[datetime, int]:
        """The order in which statements were said."""
        return self.said_at, self.number

    @property
    def fields(self) -> Content:
        """The fields that it says, or, of a move, that it showed."""
        return self.content or {}

    @property
    def about(self) -> Subject:
        """What it is about, by the fields that it says."""
        return kind_and_subject(self.kind, self.fields)

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of a new row, by the names of the fields."""
        return {**asdict(self), "subject": subject_key(self.kind, self.fields)}

    @property
    def said_on(self) -> str:
        """The day on which it was said, where the person was, such as ``2026-11-26``.

        What a message says is dated by the message, even if it came to count later, by a *Yes*.
        """
        written_at = slack_time(self.ts) or self.said_at
        return written_at.astimezone(ZoneInfo(self.zone)).date().isoformat()

    def source(self) -> Json:
        """Return it as an entry of a memory's `sources`."""
        return {
            "actor": self.actor,
            "channel": self.channel,
            "ts": self.ts,
            "evidence": self.evidence,
            "said_on": self.said_on,
        }


def counts(statement: Statement, now: datetime) -> bool:
    """Return whether a statement is neither withdrawn nor over."""
    if statement.withdrawn_at is not None:
        return False
    return statement.until is None or statement.until > now


def in_order(statements: Iterable[Statement]) -> list[Statement]:
    """Return statements in the order in which they were said."""
    return sorted(statements, key=lambda one: one.order)


def day_of(said: Sequence[Statement]) -> str:
    """Return the day from which what the memory says counts, as for "tomorrow".

    It is the day of the newest statement that names the subject for the first time, gives a level,
    or, in a message, says just the subject again or promises it. A detail or a click does not
    change it.
    """
    day = said[0].said_on
    subject = ""
    for one in said:
        named = subject_key(one.kind, one.fields)
        is_new = named != subject
        has_level = level(one.kind, one.fields) is not None
        says_nothing_else = set(one.fields) <= subject_fields(one.kind, one.fields)
        is_promised = one.kind == PROMISE_KIND and one.fields.get("state") == "open"
        says_it_again = says_nothing_else or is_promised
        if is_new or has_level or (says_it_again and one.message):
            day = one.said_on
        subject = named
    return day


def named_sources(said: Sequence[Statement]) -> list[Json]:
    """Return one source per message; if there are too many, the first and the newest ones."""
    by_message: dict[object, Json] = {}
    for one in said:
        if one.evidence or one.message:
            # A yes repeats an earlier message, and is then the newest source.
            said_in = one.message or one.id
            by_message.pop(said_in, None)
            by_message[said_in] = one.source()
    sources = list(by_message.values())
    if len(sources) <= MAX_SOURCES:
        return sources
    return [sources[0], *sources[1 - MAX_SOURCES :]]
