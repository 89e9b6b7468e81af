"""Statements, and the memories that they amount to. Pure: no database.

A memory is not stored. What is stored is each thing that a person said about it: a statement, with
the fields it says and the audience that heard it. `fold` adds a memory's statements up, `views`
adds them up once for each audience.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from memory.model.dates import slack_time
from memory.model.namespace import DM, PUBLIC
from memory.model.sameness import is_same
from memory.model.schemas import (
    PROMISE_KIND,
    Content,
    Subject,
    kind_and_subject,
    level,
    subject_fields,
    subject_key,
    validated_content,
)
from memory.model.text import Json

Act: TypeAlias = Literal["say", "remove", "move"]
"""What a statement does to its memory: it says fields, takes the memory back, or moves it."""

Actor: TypeAlias = Literal["formation", "tool", "command", "modal", "question"]
MessageKey: TypeAlias = tuple[str, str]  # channel, ts

MAX_SOURCES = 20
"""The number of sources that a view of a memory names: the first one and the newest."""


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

    `content` has the fields that it says, always with the field that names the subject; it is None
    unless `act` is ``say``. `audience` is where it was said, or, for a move, where the memory goes.
    `evidence` has the person's words as typed, from the message at `channel` and `ts`, both None
    for a form or a tool. `said_at` is the time of the message, and `zone` the person's time zone
    then. After `until` the statement no longer counts. `may_harm`: somebody may come to harm if it
    is not known. `batch` is the same for all statements of one notice. `number` is the order in
    which they were stored.
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
    number: int = 0
    withdrawn_at: datetime | None = None

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
        """The fields that it says; none unless its `act` is ``say``."""
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
    def written_at(self) -> datetime:
        """When its words were written: before it was said, if that was the click on *Yes*."""
        return slack_time(self.ts) or self.said_at

    @property
    def said_on(self) -> str:
        """The day on which it was said, where the person was, such as ``2026-11-26``.

        What a message says is dated by the message, even if it came to count later.
        """
        return self.written_at.astimezone(ZoneInfo(self.zone)).date().isoformat()

    def source(self) -> Json:
        """Return it as an entry of a memory's `sources`."""
        return {
            "actor": self.actor,
            "channel": self.channel,
            "ts": self.ts,
            "evidence": self.evidence,
            "said_on": self.said_on,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A memory as one audience knows it: a row of `store`.

    `sources` are the statements that it comes from, oldest first; `said_on` is the day from which
    what it says counts. At `expires_at` so many statements have ended that the others are no
    memory. `audiences` names, in the view of direct messages, the other audiences
    that know the memory. `may_harm`: one of the statements says so.
    """

    audience: str
    key: str
    kind: str
    content: Content
    sources: Sequence[Json]
    said_on: str
    created_at: datetime
    expires_at: datetime | None
    may_harm: bool = False
    audiences: Sequence[str] = ()

    @property
    def value(self) -> Json:
        """The value of the row, in LangMem's shape, with what Kioku shows beside it."""
        value: Json = {
            "kind": self.kind,
            "content": dict(self.content),
            "sources": list(self.sources),
            "said_on": self.said_on,
        }
        if self.may_harm:
            value["may_harm"] = True
        if self.audiences:
            value["audiences"] = list(self.audiences)
        return value


def fold(statements: Iterable[Statement]) -> Json | None:
    """Return the content that the statements of one memory add up to; None for no memory.

    They are added in the order in which they were said. Content that its kind's schema rejects, or
    whose level is 0, is no memory, and neither are clicks alone.
    """
    said = since_removal(statements)
    if all(one.is_click for one in said):
        return None
    kind = ""
    content: Json = {}
    for one in said:
        kind = one.kind
        content |= one.fields
    whole = validated_content(kind, content)
    if whole is None or level(kind, whole) == 0:
        return None
    return whole


def views(statements: Collection[Statement], now: datetime) -> list[View]:
    """Return a memory as each audience knows it at the time `now`; nothing if it is no memory.

    Direct messages know everything that was said. A public channel knows what was said in public,
    and any other conversation what was said there. Each of them knows it only while it is true,
    that is, while every field that it knows agrees with the view of direct messages. A removal
    counts everywhere.
    """
    counted = current(statements, now)
    whole = _view(DM, counted)
    if whole is None:
        return []
    audiences = {one.audience for one in counted}
    narrower = []
    for audience in sorted(audiences - {DM}):
        known = [one for one in counted if _is_known(one, audience)]
        view = _view(audience, known)
        if view is not None and agrees(view.content, whole.content):
            narrower.append(view)
    elsewhere = [view.audience for view in narrower]
    return [replace(whole, audiences=elsewhere), *narrower]


def _is_known(statement: Statement, audience: str) -> bool:
    """Return whether an audience other than direct messages knows a statement."""
    return statement.act == "remove" or statement.audience == audience


def current(statements: Iterable[Statement], now: datetime) -> list[Statement]:
    """Return the statements that count at `now`, each with the audience that knows it then.

    A move gives its audience to all that was said before it. What was said before and stored later,
    such as what was formed after an outage, the person did not see when they moved the memory: a
    move never lets others know it.
    """
    counted = [one for one in statements if counts(one, now)]
    moves = [one for one in counted if one.act == "move"]
    if not moves:
        return counted
    last_move = in_order(moves)[-1]
    placed = []
    for one in counted:
        if one.act == "move":
            continue
        if _is_moved(one, last_move):
            one = replace(one, audience=last_move.audience)
        placed.append(one)
    return placed


def _is_moved(statement: Statement, move: Statement) -> bool:
    """Return whether a statement gets the audience of a move."""
    if (statement.written_at, statement.number) > move.order:
        return False
    was_stored = statement.number < move.number
    narrows = move.audience == DM or statement.audience == PUBLIC
    return was_stored or narrows


def counts(statement: Statement, now: datetime) -> bool:
    """Return whether a statement is neither withdrawn nor over."""
    if statement.withdrawn_at is not None:
        return False
    return statement.until is None or statement.until > now


def in_order(statements: Iterable[Statement]) -> list[Statement]:
    """Return statements in the order in which they were said."""
    return sorted(statements, key=lambda one: one.order)


def agrees(known: Content, whole: Content) -> bool:
    """Return whether every field in `known` has the same value in `whole`.

    Texts that differ only in case, width, white space or punctuation are the same.
    """
    for name, value in known.items():
        if value is not None and not is_same(value, whole.get(name)):
            return False
    return True


def _view(audience: str, statements: Collection[Statement]) -> View | None:
    content = fold(statements)
    if content is None:
        return None
    said = since_removal(statements)
    newest = said[-1]
    return View(
        audience=audience,
        key=newest.key,
        kind=newest.kind,
        content=content,
        sources=named_sources(said),
        said_on=day_of(said),
        created_at=said[0].said_at,
        expires_at=_end(said),
        may_harm=any(one.may_harm for one in said),
    )


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


def since_removal(statements: Iterable[Statement]) -> list[Statement]:
    """Return what was said since the memory was last taken back, in the order it was said."""
    said: list[Statement] = []
    for one in in_order(statements):
        if one.act == "remove":
            said.clear()
        elif one.act == "say":
            said.append(one)
    return said


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


def _end(said: Sequence[Statement]) -> datetime | None:
    """Return when so many of these statements have ended that the others are no memory."""
    ends = {one.until for one in said if one.until is not None}
    for end in sorted(ends):
        left = [one for one in said if counts(one, end)]
        if fold(left) is None:
            return end
    return None
