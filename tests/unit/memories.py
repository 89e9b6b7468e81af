"""Memories, changes and questions of one person, for tests of what people see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from pydantic import BaseModel, Field

from memory import (
    Change,
    Memory,
    Person,
    PersonMessage,
    Question,
    Reason,
    Refusal,
)
from memory.formation.evidence import Evidence, TypedMessage
from memory.model.schemas import register_schemas
from memory.store.edits import statement_of

PERSON = Person("T1", "U1")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
BATCH = UUID(int=9)
REASONS = sorted(get_args(Reason))


class Size(Enum):
    """A size."""

    SMALL = "small"
    LARGE = "large"


class Dog(BaseModel):
    """An operator's own kind, with one field of each shape."""

    name: str = Field(description="What it is called")
    size: Size | None = None
    temper: Literal["calm", "wild"] | None = None
    stars: Literal[1, 2, 3] | None = None
    age: Annotated[int, Field(ge=0, le=30)] | None = None
    weight: float | None = None
    tame: bool | None = None
    toys: list[str] | None = None
    story: str | None = Field(None, max_length=500)


register_schemas([Dog])


def memory(
    number: int = 1, *, kind: str = "UserFact", audience: str = "dm", **content: Any
) -> Memory:
    """Return a memory that an audience may read; without a content, that of a fact."""
    return Memory(
        namespace=PERSON.namespace(audience),
        key=str(UUID(int=number)),
        value={
            "kind": kind,
            "content": content or {"fact": f"thing {number}"},
        },
        created_at=NOON,
        updated_at=NOON,
    )


def fact(text: str) -> dict[str, Any]:
    """Return the content of a fact."""
    return {"fact": text}


def promise(**more: str) -> dict[str, Any]:
    """Return the content of a promise of notes to Mia."""
    return {"promise": "notes", "to": "Mia", "state": "open", **more}


def change(
    action: Any = "remembered",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    *,
    number: int = 1,
    **more: Any,
) -> Change:
    """Return a change, which direct messages alone may read and which says all of the memory."""
    return Change(
        id=UUID(int=number),
        statements=[UUID(int=number)],
        audience=more.pop("audience", "dm"),
        key=more.pop("key", f"key-{number}"),
        kind=more.pop("kind", "UserFact"),
        action=action,
        before=before,
        after=after,
        at=NOON + timedelta(seconds=number),
        batch=more.pop("batch", BATCH),
        said=more.pop("said", after or before or {}),
        readers=more.pop("readers", ("dm", "dm")),
        **more,
    )


def question(
    asks: Literal["replace", "older", "remove", "store"],
    before: str = "I live in Osaka",
    after: str | None = "I live in Tokyo",
) -> Question:
    """Return a question."""
    said = statement_of(
        "key",
        "UserFact",
        "public",
        None if after is None else {"fact": after},
        PersonMessage(actor="question"),
        batch=BATCH,
        act="remove" if after is None else "say",
    )
    return Question(
        id=UUID(int=7),
        asks=asks,
        before=None if asks == "store" else fact(before),
        after=fact(after) if after is not None else None,
        said=said,
        said_on="2026-05-03",
        readers="public",
    )


def refusal(reason: Any, text: str | None) -> Refusal:
    """Return why something that was said in a channel, or nothing, was not stored."""
    evidence = None
    if text is not None:
        said = PersonMessage(text=text, channel="C0123456789", ts="1795737600.000100")
        evidence = Evidence(message=TypedMessage(said), text=text)
    return Refusal(reason=reason, evidence=evidence)
