"""Memories, changes and questions of one person, for tests of what people see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from hypothesis import strategies as st

from bot.locale import LANGUAGES
from memory import Change, Memory, Person, Question

PERSON = Person("T1", "U1")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LANGUAGE = st.sampled_from(LANGUAGES)
# What a person's words can hold that Slack reads as markup.
TEXTS = st.one_of(
    st.text(max_size=400),
    st.sampled_from(
        ["&" * 400, "<!channel>" * 40, "`*_~" * 100, "あ" * 400, "x" * 300, "x" * 3_000]
    ),
)


def memory(
    number: int = 1, *, kind: str = "UserFact", audience: str = "dm", **content: Any
) -> Memory:
    """Return a memory; without a content, that of a fact."""
    return Memory(
        namespace=PERSON.namespace(audience),
        key=str(UUID(int=number)),
        value={"kind": kind, "content": content or {"fact": f"thing {number}"}},
        created_at=NOON,
        updated_at=NOON,
    )


def food(name: str, number: int = 1, **content: Any) -> Memory:
    """Return a taste."""
    return memory(number, kind="UserFoodPreference", food_name=name, **content)


def value(text: str, **more: Any) -> dict[str, Any]:
    """Return a stored fact."""
    return {"kind": "UserFact", "content": {"fact": text}, **more}


def entry(
    action: Any = "remembered",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    *,
    number: int = 1,
    **more: Any,
) -> Change:
    """Return a change."""
    return Change(
        id=UUID(int=number),
        namespace=more.pop("namespace", PERSON.namespace("dm")),
        key=more.pop("key", f"key-{number}"),
        kind=more.pop("kind", "UserFact"),
        action=action,
        actor=more.pop("actor", "formation"),
        before=before,
        after=after,
        at=NOON + timedelta(seconds=number),
        batch=UUID(int=0),
        **more,
    )


def question(
    asks: Literal["replace", "remove", "widen", "store"],
    before: str = "I live in Osaka",
    after: str | None = "I live in Tokyo",
) -> Question:
    """Return a question."""
    return Question(
        id=UUID(int=7),
        asks=asks,
        namespace=PERSON.namespace("public"),
        key="key",
        before={"kind": "UserFact", "content": {}}
        if asks == "store"
        else value(before, confirmed_at="2026-05-03T10:00:00+00:00"),
        after=value(after) if after is not None else None,
        at=NOON,
        batch=UUID(int=0),
    )
