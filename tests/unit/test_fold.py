"""What the statements of a memory add up to, and who may read it, beside a model of plain sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from memory.model.fold import Folded, fold
from memory.model.merging import superfluous
from memory.model.statement import Statement, counts
from tests import lives
from tests.lives import DM, PUBLIC, Event, Life

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
LIVES = 3_000


def at(minute: float) -> datetime:
    """Return a time so many minutes after noon."""
    return NOW + timedelta(minutes=minute)


def statement(event: Event) -> Statement:
    """Return an event as it is stored."""
    return Statement(
        id=uuid4(),
        key="k",
        audience=event.audience,
        kind="UserFoodPreference",
        act=event.act,  # type: ignore[arg-type]
        actor="formation",
        content=None if event.act == "remove" else event.values,
        evidence=f"words {event.number}",
        channel="C1",
        ts=f"{at(event.number).timestamp():.6f}",
        said_at=at(event.at),
        until=None if event.until is None else at(event.until),
        batch=uuid4(),
        number=event.number,
        withdrawn_at=NOW if event.is_withdrawn else None,
    )


def folded(events: Iterable[Event], now: int) -> Folded | None:
    """Return the memory as it is at a time; what is forgotten is not read."""
    shown = [statement(one) for one in events if one.forgetting is None]
    return fold([one for one in shown if counts(one, at(now))])


def test_no_life_of_a_memory_tells_anybody_what_they_have_not_heard() -> None:
    """Whatever is said, moved, edited, answered, forgotten and undone, in any order."""
    random = Random(87)
    met: Counter[tuple[str, str]] = Counter()
    audiences: Counter[str] = Counter()
    for _ in range(LIVES):
        life = Life(random)
        for _ in range(random.randint(4, 16)):
            life.act()
            compare(life.events, life.now)
        audiences.update(audience_of(life))
        met.update(combinations([one for one in lives.MEETING if one in life.met], 2))
    pairs = set(combinations(lives.MEETING, 2))
    assert {pair: met[pair] for pair in pairs if met[pair] < 100} == {}
    assert audiences.keys() == {*lives.PLACES}


def test_what_goes_of_too_many_statements_lets_nobody_read_more() -> None:
    """Now the memory is the same; after any later Undo its readers were told all of it."""
    random = Random(88)
    count = 0
    for _ in range(LIVES):
        life = Life(random)
        for _ in range(random.randint(6, 20)):
            life.act()
        there = [one for one in life.events if one.forgetting is None]
        rows = [statement(one) for one in there]
        gone = superfluous(rows, random.randint(2, 8))
        count += len(gone)
        pairs = zip(there, rows, strict=True)
        left = [one for one, row in pairs if row.id not in gone]
        whole = folded(there, life.now)
        rest = folded(left, life.now)
        assert (whole and whole.content) == (rest and rest.content)
        assert (whole and whole.audience) == (rest and rest.audience)
        if left:
            random.choice(left).is_withdrawn = True
        rest = folded(left, life.now)
        if rest is not None and rest.audience != DM:
            for name, value in rest.content.items():
                told = lives.told(there, life.now, rest.audience, name, value)
                assert value is None or told
    assert count > LIVES // 2


def audience_of(life: Life) -> list[str]:
    """Return the audience of a memory after its life, if it is one."""
    memory = folded(life.events, life.now)
    return [] if memory is None else [memory.audience]


def compare(events: Sequence[Event], now: int) -> None:
    """Compare a memory with the model; it is read as widely as may be."""
    known = lives.expected(events, now)
    memory = folded(events, now)
    if known is None:
        assert memory is None
        return
    whole, readers = known
    assert memory is not None
    said = {name: value for name, value in memory.content.items() if value is not None}
    assert said == {name: value for name, value in whole.items() if value is not None}
    assert memory.audience in readers
    if PUBLIC in readers:
        assert memory.audience == PUBLIC
    assert (memory.audience == DM) == (readers == {DM})
    if memory.audience == DM:
        return
    for name, value in said.items():
        assert lives.told(events, now, memory.audience, name, value)
    # No sentence is quoted where it was not heard.
    places = {f"words {one.number}": one.audience for one in events}
    quoted = {places[source["evidence"]] for source in memory.sources}
    assert quoted <= {PUBLIC, memory.audience}


def say(audience: str, minute: int, **values: Any) -> Event:
    """Return what was said about ramen in a minute after noon."""
    said = {lives.SUBJECT: "ramen", **values}
    return Event("say", audience, minute, minute, said)


def for_an_hour(event: Event) -> Event:
    """Return an event that ends an hour after noon."""
    return replace(event, until=60)


def move(audience: str, minute: int, **values: Any) -> Event:
    """Return a click that moved the memory, which showed these values."""
    shown = {lives.SUBJECT: "ramen", **values}
    return Event("move", audience, minute, minute, shown)


def remove(audience: str, minute: int) -> Event:
    """Return that the memory was taken back."""
    return Event("remove", audience, minute, minute)


def stored(event: Event, number: int) -> Event:
    """Return an event that was stored later than it was said."""
    return replace(event, number=number)


def undone(event: Event) -> Event:
    """Return an event that was undone."""
    return replace(event, is_withdrawn=True)


TOM: dict[str, Any] = {"cuisine": "Tom"}
ANN: dict[str, Any] = {"cuisine": "Ann"}
NOTE: dict[str, Any] = {"description": "a note"}
PARIS, ROME, OSAKA = ({"cuisine": city} for city in ("Paris", "Rome", "Osaka"))

# The lives: what happened to a memory, its audience, and what it says.
STORIES: list[tuple[str, list[Event], str | None, dict[str, Any]]] = [
    ("a correction in a DM", [say(PUBLIC, 1, **TOM), say(DM, 2, **ANN)], DM, ANN),
    (
        "the correction is undone",
        [say(PUBLIC, 1, **TOM), undone(say(DM, 2, **ANN))],
        PUBLIC,
        TOM,
    ),
    ("a DM repeats it", [say(PUBLIC, 1, **TOM), say(DM, 2, **TOM)], PUBLIC, TOM),
    (
        "another spelling",
        [say(PUBLIC, 1, **TOM), say(DM, 2, cuisine="tom!")],
        PUBLIC,
        {"cuisine": "tom!"},
    ),
    (
        "a note in a DM is said anew in public",
        [say(PUBLIC, 1, **TOM), say(DM, 2, **NOTE), say(PUBLIC, 3, **NOTE)],
        PUBLIC,
        TOM | NOTE,
    ),
    (
        "a note in a DM is formed after the move",
        [say(DM, 1, **TOM), move(PUBLIC, 3, **TOM), stored(say(DM, 2, **NOTE), 4)],
        DM,
        TOM | NOTE,
    ),
    (
        "a note in a DM is asked about, and answered after the move",
        [say(DM, 1, **TOM), move(PUBLIC, 2, **TOM), say(DM, 3, **NOTE)],
        DM,
        TOM | NOTE,
    ),
    (
        "a note in a DM is forgotten while the rest is moved",
        [say(DM, 1, **TOM), say(DM, 2, **NOTE), move(PUBLIC, 3, **TOM)],
        DM,
        TOM | NOTE,
    ),
    (
        "a detail in another private conversation",
        [say("G1", 1, **TOM), say("G2", 2, **NOTE)],
        DM,
        TOM | NOTE,
    ),
    (
        "all of it in two private conversations",
        [say("G1", 1, **TOM), say("G2", 2, **TOM)],
        "G2",
        TOM,
    ),
    (
        "what was true is true again",
        [say(PUBLIC, 1, **PARIS), for_an_hour(say(DM, 2, **ROME))],
        PUBLIC,
        PARIS,
    ),
    (
        "said anew in a channel after Only in DMs",
        [say(PUBLIC, 1, **TOM), move(DM, 2, **TOM), say(PUBLIC, 3, **TOM)],
        PUBLIC,
        TOM,
    ),
    (
        "removed in a DM and said anew in public, without the note",
        [
            say(PUBLIC, 1, **TOM),
            say(DM, 2, **NOTE),
            remove(DM, 3),
            say(PUBLIC, 4, **TOM),
        ],
        PUBLIC,
        TOM,
    ),
    (
        "the move is undone",
        [say(DM, 1, **TOM), undone(move(PUBLIC, 2, **TOM)), say(DM, 3, **NOTE)],
        DM,
        TOM | NOTE,
    ),
    (
        "a typo is edited after Only in DMs",
        [move(DM, 2, **TOM), stored(say(PUBLIC, 1, **ANN), 3)],
        DM,
        ANN,
    ),
    (
        "true no more, said in public",
        [say(PUBLIC, 1, **TOM), say(DM, 2, **NOTE), remove(PUBLIC, 3)],
        None,
        {},
    ),
    (
        "Use Everywhere over what has ended",
        [
            say(DM, 1, **OSAKA),
            for_an_hour(say(PUBLIC, 2, **ROME)),
            move(PUBLIC, 3, **ROME),
        ],
        DM,
        OSAKA,
    ),
    (
        "moved to public, forgotten, and back",
        [say(DM, 1, **TOM), move(PUBLIC, 2, **TOM)],
        PUBLIC,
        TOM,
    ),
    (
        "moved to a private conversation, which hears no older note of another",
        [say("G1", 1, **TOM), move("G2", 3, **TOM), stored(say("G1", 2, **NOTE), 4)],
        DM,
        TOM | NOTE,
    ),
    (
        "a detail is taken back in a DM",
        [say(PUBLIC, 1, **NOTE), say(DM, 2, description=None)],
        DM,
        {},
    ),
]


@pytest.mark.parametrize(
    ("events", "audience", "says"),
    [story[1:] for story in STORIES],
    ids=[story[0] for story in STORIES],
)
def test_a_life_has_its_audience(
    events: list[Event], audience: str | None, says: dict[str, Any]
) -> None:
    """An hour after noon, in the words that were said last."""
    memory = folded(events, 60)
    if audience is None:
        assert memory is None
        return
    assert memory is not None
    assert memory.audience == audience
    content = {
        name: value for name, value in memory.content.items() if value is not None
    }
    assert content == {lives.SUBJECT: "ramen", **says}
