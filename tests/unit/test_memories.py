"""Reading one's own memories, and refusing foreign rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from memory import DM, PUBLIC, InvalidNamespace, Person, memory_view
from memory.store.memories import memory_of, read_in_view, read_own
from memory.store.subjects import Known

ALICE = Person("T1", "U1")
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def row(prefix: str = "chat.T1.U1.dm", key: str = "k", **value: Any) -> dict[str, Any]:
    """Return a row of `store`."""
    value = {"kind": "UserFoodPreference", "content": {"food_name": "寿司"}, **value}
    dates = {"created_at": NOW, "updated_at": NOW, "expires_at": None}
    return {"prefix": prefix, "key": key, "value": value, **dates}


def test_a_row_is_read_whole() -> None:
    """A stored row becomes a memory with its namespace, sources, day and audience."""
    sources = [{"evidence": "寿司が好き"}]
    found = memory_of(row(sources=sources, said_on="2026-11-19"))
    assert (found.namespace, found.key) == (ALICE.namespace(DM), "k")
    assert found.sources == ({"evidence": "寿司が好き"},)
    assert (found.said_on, found.audience) == ("2026-11-19", DM)


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


def test_what_is_known_is_shown_to_its_audience() -> None:
    """A row for another conversation is not."""
    rows = [
        row("chat.T1.U1.public", "said in public"),
        row("chat.T1.U1.dm", "said in a direct message"),
        row("chat.T1.U1.C2", "said in another channel"),
    ]
    known = Known(keys={}, memories={one["key"]: memory_of(one) for one in rows})
    assert [*known.in_view(memory_view(ALICE.namespace(PUBLIC)))] == ["said in public"]
