"""Reading one's own memories, and refusing foreign rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from memory import DM, PUBLIC, InvalidNamespace, Person, memory_view
from memory.store.memories import current, read, read_own, read_within

ALICE = Person("T1", "U1")
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def row(prefix: str = "chat.T1.U1.dm", key: str = "k", **value: Any) -> dict[str, Any]:
    """Return a row of `store`."""
    value = {"kind": "UserFoodPreference", "content": {"food_name": "寿司"}, **value}
    dates = {"created_at": NOW, "updated_at": NOW, "expires_at": None}
    return {"prefix": prefix, "key": key, "value": value, **dates}


def test_a_row_is_read_whole() -> None:
    """A stored row becomes a memory with its namespace, sources and what it supersedes."""
    entries = [{"audience": PUBLIC, "key": "old"}, {"key": "older"}]
    found = read(row(sources=[{"evidence": "寿司が好き"}], supersedes=entries))
    assert (found.namespace, found.key) == (ALICE.namespace(DM), "k")
    assert found.sources == ({"evidence": "寿司が好き"},)
    assert found.supersedes == ("old", "older")


def test_rows_of_other_tools_are_read_too() -> None:
    """A row without a kind, or with a plain text as content, is a memory all the same."""
    found = read({**row(), "value": {"content": "likes sushi"}})
    assert (found.kind, found.content, found.sources) == ("Memory", {"content": "likes sushi"}, ())


def test_another_persons_row_shows_nothing_at_all() -> None:
    """One foreign row among the person's own makes the whole read fail."""
    rows = [row(), row("chat.T1.U12.dm", "k2")]
    with pytest.raises(InvalidNamespace, match="nothing was done"):
        read_own(rows, ALICE)
    with pytest.raises(InvalidNamespace, match="nothing was done"):
        read_within(rows, memory_view(ALICE.namespace(DM)))


@pytest.mark.parametrize(
    "prefix", ["chat.T1.U2.public", "chat.T2.U1.public", "chat.T1.U1.dm", "chat.T1.U1.C2"]
)
def test_row_of_another_audience_stops_everything(prefix: str) -> None:
    """Should a query ever return what the conversation may not see, nothing is done."""
    with pytest.raises(InvalidNamespace, match="another audience"):
        read_within([row(prefix)], memory_view(ALICE.namespace("C1")))


def test_superseded_rows_are_hidden_where_the_newer_one_is_seen() -> None:
    """A superseded memory is hidden in a view that sees what supersedes it, shown elsewhere."""
    old = read(row("chat.T1.U1.public", "old"))
    new = read(row("chat.T1.U1.dm", "new", supersedes=[{"key": "old"}]))
    assert current([old, new]) == [new]
    assert current([old]) == [old]
