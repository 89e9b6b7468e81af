"""What the statements of one memory add up to, and who may read it. Pure: no database.

`fold` takes them in the order in which they were said, and carries for each field its value and
where that was heard. A memory has one audience: the widest that heard every field. ::

    say "Tom" in public ──▶ Tom {public}
    say "Ann" to Kioku  ──▶ Ann {dm}            another value: its own audience
    say "Ann" in G1     ──▶ Ann {dm, G1}        the same value: whoever has heard it by now
    move to public      ──▶ Ann {public}        the value that the move showed
    move to dm          ──▶ Ann {dm}

A move shows values, and only those go where it says; others, which were formed late or came back by
an Undo, it can only make narrower.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, TypeAlias
from uuid import UUID

from pydantic import ValidationError

from memory.model.namespace import DM, PUBLIC
from memory.model.sameness import is_same
from memory.model.schemas import lenient, level, schema_of
from memory.model.statement import (
    Statement,
    counts,
    day_of,
    in_order,
    named_sources,
)
from memory.model.text import Json

_Heard: TypeAlias = Mapping[str, tuple[UUID, ...]]
"""Where something was heard, the newest last, each with the newest statement by which it was.

After a move that is the move, and with it what was said last before.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """A memory, as its statements add up to it.

    `audience` is who may read it. `sources` are the statements that were made where this audience
    heard them, oldest first, and `said_on` is the day from which counts what it heard; `own` has
    both of all statements, and the person's sentence that says it, for what only the person sees.
    At `expires_at` so many statements have ended that the others are no memory. `left_out`: no
    model is shown it. `said` is what was said since the last removal, and `rests_on` has the ids of
    the statements without which it would be another memory.
    """

    audience: str
    key: str
    kind: str
    content: Json
    sources: Sequence[Json]
    said_on: str
    own: Json
    created_at: datetime
    expires_at: datetime | None
    may_harm: bool
    left_out: bool
    said: Sequence[Statement]
    rests_on: Collection[UUID]

    @property
    def value(self) -> Json:
        """The value of its row of `store`, in LangMem's shape, with what Kioku shows beside it."""
        value: Json = {
            "kind": self.kind,
            "content": self.content,
            "sources": list(self.sources),
            "said_on": self.said_on,
        }
        if self.may_harm:
            value["may_harm"] = True
        if self.left_out:
            value["left_out"] = True
        return value


def fold(statements: Iterable[Statement]) -> Folded | None:
    """Return the memory that these statements add up to; None if they are no memory.

    A removal takes back all that was said before. Content that its kind's schema rejects, or whose
    level is 0, is no memory, and neither are clicks alone.
    """
    fields: dict[str, tuple[Any, _Heard]] = {}
    said: list[tuple[Statement, _Heard]] = []
    for one in in_order(statements):
        if one.act == "remove":
            fields.clear()
            said.clear()
        elif one.act == "move":
            for name, (value, heard) in fields.items():
                is_shown = is_same(value, one.fields.get(name))
                fields[name] = value, _moved(heard, one, is_shown=is_shown)
            for place, (earlier, heard) in enumerate(said):
                is_shown = all(
                    is_same(value, one.fields.get(name))
                    for name, value in earlier.fields.items()
                )
                said[place] = earlier, _moved(heard, one, is_shown=is_shown)
        else:
            said.append((one, {one.audience: (one.id,)}))
            for name, value in one.fields.items():
                _say(fields, name, value, one)
    content = content_of([one for one, _ in said])
    if content is None:
        return None
    return _folded(content, fields, said)


def fold_at(statements: Iterable[Statement], now: datetime) -> Folded | None:
    """Return the memory that those of these statements add up to which count at `now`."""
    return fold(one for one in statements if counts(one, now))


def _say(
    fields: dict[str, tuple[Any, _Heard]], name: str, value: Any, one: Statement
) -> None:
    """Give a field the value that a statement says; the field said last is the last one."""
    known = fields.pop(name, None)
    heard: dict[str, tuple[UUID, ...]] = {}
    if known is not None and is_same(known[0], value):
        heard.update(known[1])
        heard.pop(one.audience, None)
    heard[one.audience] = (one.id,)
    fields[name] = value, heard


def _moved(heard: _Heard, move: Statement, *, is_shown: bool) -> _Heard:
    """Return where a value was heard, after a move that showed it or did not."""
    audience = move.audience
    newest = [*heard.values()][-1]
    if is_shown or audience == DM:
        return {audience: (move.id, newest[-1])}
    if audience == PUBLIC:
        return heard
    known = heard.get(audience) or heard.get(PUBLIC)
    return {audience: known} if known else {DM: (move.id, newest[-1])}


def _audience(fields: Iterable[tuple[Any, _Heard]]) -> str:
    """Return the widest audience that heard every field; of several private ones the newest."""
    narrow = [heard for _, heard in fields if PUBLIC not in heard]
    if not narrow:
        return PUBLIC
    newest = narrow[-1]
    everywhere = set(newest).intersection(*narrow) - {DM}
    private = [audience for audience in newest if audience in everywhere]
    return private[-1] if private else DM


def _folded(
    content: Json,
    fields: Mapping[str, tuple[Any, _Heard]],
    said: Sequence[tuple[Statement, _Heard]],
) -> Folded:
    audience = _audience(fields.values())
    statements = [one for one, _ in said]
    newest = statements[-1]
    heard = [one for one in statements if _knows((one.audience,), audience)]
    dated = [one for one, places in said if _knows(places, audience)]
    return Folded(
        audience=audience,
        key=newest.key,
        kind=newest.kind,
        content=content,
        sources=named_sources(heard),
        said_on=day_of(dated or statements),
        own={
            "sources": named_sources(statements),
            "said_on": day_of(statements),
            "sentence": _sentence(statements, content),
        },
        created_at=statements[0].said_at,
        expires_at=_end(statements),
        may_harm=any(one.may_harm for one in statements),
        left_out=newest.left_out,
        said=statements,
        rests_on=_rests_on(fields, statements),
    )


def _sentence(said: Sequence[Statement], content: Json) -> str:
    """Return the newest sentence that says all of a memory by itself; "" if none does."""
    for one in reversed(said):
        if one.evidence and content_of([one]) == content:
            return one.evidence
    return ""


def _knows(places: Container[str], audience: str) -> bool:
    """Return whether an audience knows what was heard in these places: direct messages all."""
    return audience == DM or PUBLIC in places or audience in places


def _rests_on(
    fields: Mapping[str, tuple[Any, _Heard]], statements: Iterable[Statement]
) -> set[UUID]:
    """Return the newest statement of each field, and that by which each audience heard it."""
    sayings: dict[str, UUID] = {}
    for one in statements:
        sayings |= dict.fromkeys(one.fields, one.id)
    rests_on = set(sayings.values())
    for _, heard in fields.values():
        rests_on.update(chain.from_iterable(heard.values()))
    return rests_on


def content_of(said: Sequence[Statement]) -> Json | None:
    """Return the content of what was said, in that order; None if it is no memory."""
    if all(one.is_click for one in said):
        return None
    kind = ""
    content: Json = {}
    for one in said:
        kind = one.kind
        content |= one.fields
    # A kind that is no longer registered, because the operator removed it, accepts everything.
    whole = content
    schema = schema_of(kind)
    if schema is not None:
        try:
            whole = lenient(schema, content).model_dump(mode="json")
        except ValidationError:
            return None
    if level(kind, whole) == 0:
        return None
    return whole


def _end(said: Sequence[Statement]) -> datetime | None:
    """Return when so many of these statements have ended that the others are no memory."""
    ends = {one.until for one in said if one.until is not None}
    for end in sorted(ends):
        if content_of([one for one in said if counts(one, end)]) is None:
            return end
    return None
