"""Whose memory, and who may see it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memory import DM, PUBLIC, InvalidNamespace, Namespace, Person, memory_view
from memory.store.memories import read_in_view, read_own

IDS = st.text("ABCXYZ019", min_size=1, max_size=12)
AUDIENCES = st.one_of(st.sampled_from([DM, PUBLIC]), IDS)


@given(IDS, IDS, AUDIENCES)
def test_prefix_reads_back(team: str, user: str, audience: str) -> None:
    """A namespace written as a prefix is read back as the same namespace."""
    namespace = Person(team, user).namespace(audience)
    assert Namespace.from_prefix(namespace.prefix) == namespace
    assert namespace.parts == ("chat", team, user, audience)
    assert namespace.prefix.startswith(f"{namespace.person.prefix}.")


def passes(team: Any, user: Any, audience: Any) -> bool:
    """Return whether these make a namespace."""
    try:
        Person(team, user).namespace(audience)
    except InvalidNamespace:
        return False
    return True


@given(st.text() | st.none() | st.integers() | st.lists(IDS))
@example("U1\n")
@example("Ｕ1")
@example("U1.dm")
@example("")
def test_only_capitals_and_digits_pass(given: Any) -> None:
    """As a team, a user or an audience; direct messages and the public have names of their own."""
    allowed = isinstance(given, str) and re.fullmatch("[A-Z0-9]+", given, re.ASCII)
    assert passes(given, "U1", DM) is bool(allowed)
    assert passes("T1", given, DM) is bool(allowed)
    assert passes("T1", "U1", given) is (bool(allowed) or given in (DM, PUBLIC))


@pytest.mark.parametrize(
    "prefix",
    [
        *("", "chat", "chat.T1.U1", "chat.T1.U1.dm.x", "other.T1.U1.dm", "chat..U1.dm"),
        *(
            "chat.T1..dm",
            "chat.T1.U1.",
            "chat.T1.u1.dm",
            "chat.T1.U%.dm",
            "chat.T1.U1.direct",
        ),
    ],
)
def test_foreign_prefixes_are_refused(prefix: str) -> None:
    """A stored prefix that is nobody's namespace is an error, not a memory."""
    with pytest.raises(InvalidNamespace):
        Namespace.from_prefix(prefix)


ALICE = Person("T1", "U1")
EVERY_AUDIENCE = [DM, PUBLIC, "G1", "G2", "C9"]


@pytest.mark.parametrize(
    ("own", "only_own", "seen"),
    [
        (DM, False, EVERY_AUDIENCE),
        (DM, True, EVERY_AUDIENCE),
        (PUBLIC, False, [PUBLIC]),
        ("G1", False, [PUBLIC, "G1"]),
        ("G1", True, ["G1"]),
        ("C9", True, ["C9"]),
    ],
)
def test_each_place_sees_its_own(own: str, only_own: bool, seen: list[str]) -> None:
    """A DM sees all; public the public; private its own, too."""
    seen_from = memory_view(ALICE.namespace(own), only_own=only_own)
    assert [a for a in EVERY_AUDIENCE if seen_from.allows(ALICE.namespace(a))] == seen
    assert seen_from.person == ALICE


@given(AUDIENCES, st.booleans(), IDS, IDS, AUDIENCES)
def test_no_view_allows_another_person(
    own: str, only_own: bool, team: str, user: str, audience: str
) -> None:
    """No view of one person allows a namespace of another, whatever their audiences."""
    other = Person(team, user)
    allowed = memory_view(ALICE.namespace(own), only_own=only_own).allows(
        other.namespace(audience)
    )
    assert other == ALICE or not allowed


@given(IDS, IDS, AUDIENCES, IDS, IDS)
def test_the_range_of_a_person_is_theirs_alone(
    team: str, user: str, audience: str, other_team: str, other_user: str
) -> None:
    """Every prefix in a person's range is theirs, and prefixes of neighbours lie outside."""
    person, other = Person(team, user), Person(other_team, other_user)
    low, high = (person.parameters[end] for end in ("low", "high"))
    assert low <= person.namespace(audience).prefix < high
    for neighbour in (other, Person(team, f"{user}2"), Person(team, other_user)):
        inside = low <= neighbour.namespace(audience).prefix < high
        assert inside is (neighbour == person)


NOW = datetime(2026, 11, 20, tzinfo=UTC)


def row(prefix: str = "chat.T1.U1.dm", key: str = "k") -> dict[str, Any]:
    """Return a row of `store`."""
    value = {"kind": "UserFoodPreference", "content": {"food_name": "寿司"}}
    dates = {"created_at": NOW, "updated_at": NOW, "expires_at": None}
    return {"prefix": prefix, "key": key, "value": value, **dates}


def test_another_persons_row_shows_nothing_at_all() -> None:
    """One foreign row among the person's own makes the whole read fail."""
    rows = [row(), row("chat.T1.U12.dm", "k2")]
    with pytest.raises(InvalidNamespace, match="nothing was done"):
        read_own(rows, ALICE)
    with pytest.raises(InvalidNamespace, match="nothing was done"):
        read_in_view(rows, memory_view(ALICE.namespace(DM)))


@pytest.mark.parametrize(
    "prefix",
    ["chat.T1.U2.public", "chat.T2.U1.public", "chat.T1.U1.dm", "chat.T1.U1.C2"],
)
def test_row_of_another_audience_stops_everything(prefix: str) -> None:
    """Should a query ever return what the conversation may not see, nothing is done."""
    with pytest.raises(InvalidNamespace, match="person or audience"):
        read_in_view([row(prefix)], memory_view(ALICE.namespace("C1")))
