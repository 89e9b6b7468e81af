"""What statements amount to, for each audience, in every order in which they can be said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations, product
from typing import Any
from uuid import uuid4

import pytest

from memory import DM, PUBLIC
from memory.model.statement import Statement, fold, views

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
KIND = "UserFoodPreference"
AUDIENCES = (DM, PUBLIC, "G1")
# What may be known where: a conversation knows what it heard, and a direct message everything.
HEARD = {DM: {DM, PUBLIC, "G1"}, PUBLIC: {PUBLIC}, "G1": {"G1"}}


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


def known(
    statements: Sequence[Statement], now: datetime = NOW
) -> dict[str, dict[str, Any]]:
    """Return the fields that each audience knows."""
    return {
        view.audience: {name: v for name, v in view.content.items() if v is not None}
        for view in views(statements, now)
    }


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([], None),
        ([said(1, preference=90)], {"food_name": "ramen", "preference": 90}),
        (
            [said(1, preference=90), said(2, preference=5)],
            {"food_name": "ramen", "preference": 5},
        ),
        # What was said last counts, in whatever order it was stored.
        (
            [said(2, preference=5), said(1, preference=90)],
            {"food_name": "ramen", "preference": 5},
        ),
        (
            [said(1, preference=90), said(2, description="with egg")],
            {"food_name": "ramen", "preference": 90, "description": "with egg"},
        ),
        (
            [said(1, preference=90), said(2, description=None)],
            {"food_name": "ramen", "preference": 90},
        ),
        ([said(1, preference=90), said(2, act="remove")], None),
        (
            [said(1), said(2, act="remove"), said(3, preference=5)],
            {"food_name": "ramen", "preference": 5},
        ),
        # Neither what the schema refuses is a memory, nor level 0.
        ([said(1, preference=200)], None),
        ([said(1, preference=0)], None),
    ],
)
def test_statements_amount_to_what_was_said_last(
    statements: list[Statement], expected: dict[str, Any] | None
) -> None:
    """Later fields replace earlier ones; a removal takes all of them back."""
    content = fold(statements)
    assert (
        content and {name: v for name, v in content.items() if v is not None}
    ) == expected


def three_statements() -> Iterator[list[Statement]]:
    """Yield three statements in all audiences, orders and acts: two values, and one taken back."""
    contents: list[dict[str, Any]] = [
        {"preference": 90},
        {"description": "with egg"},
        {"preference": 10, "description": "without egg"},
    ]
    for audiences in product(AUDIENCES, repeat=3):
        for order in permutations(range(3)):
            for acts in product(("say", "remove"), repeat=3):
                yield [
                    said(place, audience, act, **(fields if act == "say" else {}))
                    for place, audience, act, fields in zip(
                        order, audiences, acts, contents, strict=True
                    )
                ]


def test_no_view_shows_what_it_has_not_heard_or_what_is_not_true_any_more() -> None:
    """Of all orders of three statements in three audiences, said and taken back."""
    tried = 0
    for statements in three_statements():
        tried += 1
        whole = known(statements).get(DM)
        ordered = sorted(statements, key=lambda one: one.said_at)
        last: dict[str, Any] | None = None
        for one in ordered:
            last = (
                None if one.act == "remove" else {**(last or {}), **(one.content or {})}
            )
        assert whole == last, statements
        for audience, content in known(statements).items():
            heard = [
                one.content or {}
                for one in statements
                if one.audience in HEARD[audience]
            ]
            for name, value in content.items():
                assert any(said.get(name) == value for said in heard), (
                    audience,
                    statements,
                )
                assert whole is not None, (audience, statements)
                assert whole[name] == value, (audience, statements)
    assert tried == 27 * 6 * 8


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        # A correction in a direct message ends the old row everywhere, and tells nobody the new
        # one.
        ([said(1, PUBLIC, preference=90), said(2, DM, preference=5)], {DM: 5}),
        ([said(1, PUBLIC, preference=90), said(2, DM, act="remove")], {}),
        (
            [said(1, DM, preference=90), said(2, PUBLIC, preference=5)],
            {DM: 5, PUBLIC: 5},
        ),
        (
            [said(1, "G1", preference=90), said(2, PUBLIC, preference=5)],
            {DM: 5, PUBLIC: 5},
        ),
        (
            [said(1, DM, preference=90), said(2, PUBLIC, act="move")],
            {DM: 90, PUBLIC: 90},
        ),
        ([said(1, PUBLIC, preference=90), said(2, DM, act="move")], {DM: 90}),
        # What is said after a move is known where it is said.
        (
            [
                said(1, preference=90),
                said(2, PUBLIC, act="move"),
                said(3, preference=5),
            ],
            {DM: 5},
        ),
        # What is stored after a move does not become known to others by it, only to fewer.
        (
            [
                said(1, preference=90),
                said(3, PUBLIC, act="move"),
                replace(said(2, preference=90), number=4),
            ],
            {DM: 90, PUBLIC: 90},
        ),
        (
            [said(2, PUBLIC, act="move"), replace(said(1, preference=90), number=3)],
            {DM: 90},
        ),
        (
            [said(2, DM, act="move"), replace(said(1, "G1", preference=90), number=3)],
            {DM: 90},
        ),
        (
            [
                said(2, "G1", act="move"),
                replace(said(1, PUBLIC, preference=90), number=3),
            ],
            {DM: 90, "G1": 90},
        ),
        # So is what was asked about before a move, and is said by the click on Yes after it.
        (
            [
                said(1, PUBLIC, preference=90),
                said(3, DM, act="move"),
                replace(said(4, PUBLIC, preference=5), ts=said(2).ts),
            ],
            {DM: 5},
        ),
        (
            [
                said(1, preference=90),
                said(3, PUBLIC, act="move"),
                replace(said(4, preference=5), ts=said(2).ts),
            ],
            {DM: 5},
        ),
    ],
)
def test_each_audience_knows_a_memory_only_while_it_is_true(
    statements: list[Statement], expected: dict[str, int]
) -> None:
    """The level that each audience knows."""
    assert {
        one: content["preference"] for one, content in known(statements).items()
    } == expected


def test_what_was_true_before_is_true_again_when_a_statement_ends() -> None:
    """A detail that ends does not end the memory."""
    end = NOW + timedelta(days=1)
    before = said(1, preference=90)
    until = replace(said(2, preference=5), until=end)
    [view] = views([before, until], NOW)
    assert (view.content["preference"], view.expires_at) == (5, None)
    assert known([before, until], end)[DM]["preference"] == 90
    [again] = views([before, until, said(3, preference=5)], NOW)
    assert (again.content["preference"], again.expires_at) == (5, None)
    [withdrawn] = views([before, replace(until, withdrawn_at=NOW)], NOW)
    assert (withdrawn.content["preference"], withdrawn.expires_at) == (90, None)


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
        [view] = views(statements, NOW)
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
    [view] = views([on(0, said(1)), later], NOW)
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
    [view] = views([on(0, made), kept, on(3, promised(**fields))], NOW)
    assert view.said_on == day


def test_a_view_names_the_first_source_and_the_newest_ones() -> None:
    """A message counts once; a form in which nothing was typed is no source."""
    many = [said(number) for number in range(30)]
    [view] = views([*many, replace(said(40), channel=None, ts=None, evidence="")], NOW)
    named = [source["evidence"] for source in view.sources]
    assert named == ["words 0", *(f"words {number}" for number in range(11, 30))]
