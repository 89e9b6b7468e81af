"""What statements amount to, from which day on and until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from memory import DM
from memory.model.fold import Folded, fold, fold_at
from memory.model.statement import Statement

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
KIND = "UserFoodPreference"


def said(number: int, audience: str = DM, act: Any = "say", **fields: Any) -> Statement:
    """Return the statement with this number, said so many minutes after noon."""
    return Statement(
        id=uuid4(),
        key="k",
        audience=audience,
        kind=KIND,
        act=act,
        actor="formation",
        content={"food_name": "ramen", **fields} if act == "say" else None,
        evidence=f"words {number}",
        channel="C1",
        ts=f"{NOW.timestamp() + 60 * number:.6f}",
        said_at=NOW + timedelta(minutes=number),
        batch=uuid4(),
        number=number,
    )


def shown(statements: Sequence[Statement], now: datetime = NOW) -> Folded:
    """Return what statements amount to at a time."""
    memory = fold_at(statements, now)
    assert memory is not None
    return memory


@pytest.mark.parametrize("level", [200, 0])
def test_neither_what_the_schema_refuses_is_a_memory_nor_level_0(level: int) -> None:
    """Another version of the kind may have stored it."""
    assert fold([said(1, preference=level)]) is None


@pytest.mark.parametrize(
    ("later", "sentence"),
    [
        ((), "words 1"),
        ((said(2, preference=20),), "words 2"),
        ((said(2, description="egg"),), ""),
        ((replace(said(2, preference=20), evidence=""),), ""),
    ],
)
def test_a_memory_has_the_newest_sentence_that_says_all_of_it(
    later: Sequence[Statement], sentence: str
) -> None:
    """A detail alone and a click say it in no sentence."""
    assert shown([said(1, preference=90), *later]).own["sentence"] == sentence


def test_a_memory_ends_with_the_last_statement_that_ends() -> None:
    """A statement that stays keeps it; a click does not."""
    first, last = NOW + timedelta(days=1), NOW + timedelta(days=2)
    stays = said(1, preference=90)
    until_first = replace(said(2, preference=5), until=first)
    until_last = replace(said(3, preference=20), until=last)
    click = replace(said(4), evidence="", channel=None, ts=None)
    for statements, expected in (
        ([stays], None),
        ([stays, until_first], None),
        ([until_first, until_last], last),
        ([until_first, click], first),
    ):
        view = shown(statements)
        assert view.expires_at == expected


def test_a_statement_is_dated_by_the_day_where_the_person_was() -> None:
    """23:30 UTC is the next day in Tokyo, and the day before in Honolulu is still that day."""
    moment = datetime(2026, 11, 26, 23, 30, tzinfo=UTC)
    late = replace(said(1), said_at=moment, ts=f"{moment.timestamp():.6f}")
    assert replace(late, zone="Asia/Tokyo").said_on == "2026-11-27"
    assert replace(late, zone="Pacific/Honolulu").said_on == "2026-11-26"


def on(day: int, statement: Statement) -> Statement:
    """Return a statement as a message of so many days later says it."""
    moment = NOW + timedelta(days=day)
    return replace(
        statement, said_at=moment, ts=f"{moment.timestamp():.6f}", number=day
    )


def in_a_form(statement: Statement) -> Statement:
    """Return a statement as a form or a click makes it."""
    return replace(statement, channel=None, ts=None)


@pytest.mark.parametrize(
    ("later", "day"),
    [
        (on(3, said(1, description="egg")), "2026-11-26"),
        (in_a_form(on(3, said(1, description="egg"))), "2026-11-26"),
        (in_a_form(on(3, said(1))), "2026-11-26"),
        # A yes counts from the click on, and says what its message said.
        (replace(on(0, said(1)), said_at=NOW + timedelta(days=3)), "2026-11-26"),
        (on(3, said(1)), "2026-11-29"),
        (on(3, said(1, preference=5)), "2026-11-29"),
        (
            in_a_form(on(3, replace(said(1), content={"food_name": "udon"}))),
            "2026-11-29",
        ),
    ],
)
def test_no_detail_and_no_click_moves_the_day_from_which_it_counts(
    later: Statement, day: str
) -> None:
    """“Tomorrow” is counted from the message that said it, whatever changes afterwards."""
    view = shown([on(0, said(1)), later])
    assert view.said_on == day


@pytest.mark.parametrize(
    ("fields", "day"),
    [({"state": "open", "due": None}, "2026-11-29"), ({"due": None}, "2026-11-26")],
)
def test_a_promise_counts_from_the_day_on_which_it_was_made_last(
    fields: dict[str, Any], day: str
) -> None:
    """It was kept in between; another day for it does not make it again."""

    def promised(**fields: Any) -> Statement:
        content = {"promise": "the figures", **fields}
        return replace(said(1), kind="Promise", content=content)

    kept = in_a_form(on(1, promised(state="done")))
    made = promised(state="open", due="2026-11-27")
    view = shown([on(0, made), kept, on(3, promised(**fields))])
    assert view.said_on == day


def test_a_view_names_the_first_source_and_the_newest_ones() -> None:
    """A message counts once; a form in which nothing was typed is no source."""
    many = [said(number) for number in range(30)]
    view = shown([*many, replace(said(40), channel=None, ts=None, evidence="")])
    named = [source["evidence"] for source in view.sources]
    assert named == ["words 0", *(f"words {number}" for number in range(11, 30))]
