"""Kinds of the operator's own, formed beside the built-in ones and grounded like these."""

from __future__ import annotations

from datetime import date
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, computed_field

from memory import (
    Embedder,
    Former,
    PersonMessage,
    Pool,
    UserFact,
    edit_memory,
    memory_model,
    subject,
)
from memory.model import checked_schemas
from tests.databases import owner_rows
from tests.integration.scripted_model import ScriptedModel, patch
from tests.integration.test_formation import ALICE_DM, fix, words
from tests.memories import add_memory, put_memory


class Pet(BaseModel):
    """An animal the person has"""

    name: str
    animal: str | None = None


class Book(BaseModel):
    """A kind with defaults that are not None; `author` was once called `writer`"""

    title: str
    author: str | None = None
    tags: list[str] = Field(default_factory=list)
    finished: bool = False


class Visit(BaseModel):
    """A kind that takes no other fields, and no texts for days; it counts its own letters"""

    model_config = ConfigDict(strict=True, extra="forbid")

    place: str
    day: date | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def letters(self) -> int:
        """A field that is not said."""
        return len(self.place)


class Room(BaseModel):
    """A room that the person books; its subject is `building`, which has a default"""

    building: str = "north"
    purpose: str | None = None


class Train(BaseModel):
    """One of the types that `Trip.by` may have, by a default alone"""

    type: Literal["train"] = "train"
    seat: str | None = None


class Boat(BaseModel):
    """The other one, which takes no texts for days, and counts"""

    model_config = ConfigDict(strict=True)

    type: Literal["boat"] = "boat"
    days: list[date] = []

    @computed_field  # type: ignore[prop-decorator]
    @property
    def length(self) -> int:
        """A field that is not said."""
        return len(self.days)


class Trip(BaseModel):
    """A kind with another title than its name, and an object of two types"""

    model_config = ConfigDict(title="A trip")

    to: str
    by: Train | Boat | None = None
    cost: float | None = None


SCHEMAS = checked_schemas([UserFact, Pet, Book, Room, Visit, Trip])


@pytest.fixture
def former(pool: Pool, model_embedder: Embedder, model: ScriptedModel) -> Former:
    """What is tested: LangMem over HTTP, with these kinds."""
    return Former(
        pool,
        model_embedder,
        lambda: memory_model(model="scripted", api_key="none", base_url=model.base_url),
        schemas=SCHEMAS,
    )


async def test_own_kind_is_formed_and_needs_a_quote(
    former: Former, model: ScriptedModel
) -> None:
    """What nobody typed is refused, as of a built-in kind."""
    model.answer(
        [
            (
                "Pet",
                {
                    "name": "Mochi",
                    "animal": "cat",
                    "evidence": "I have a cat called Mochi",
                },
            ),
            (
                "Pet",
                {"name": "Rex", "animal": "dog", "evidence": "I have a dog called Rex"},
            ),
        ]
    )
    formed = await former.form(ALICE_DM, words("I have a cat called Mochi"))
    assert [(c.kind, c.after) for c in formed.changes] == [
        ("Pet", {"name": "Mochi", "animal": "cat"})
    ]
    assert [one.reason for one in formed.refused] == ["no_evidence"]
    assert subject("Pet", {"animal": "cat", "name": "Mochi"}) == "Mochi"


@pytest.mark.parametrize("formed", [True, False])
async def test_default_never_overwrites_a_stored_value(
    former: Former, model: ScriptedModel, database: str, formed: bool
) -> None:
    """Of a known thing that is said again, fields at their default stay as they were said.

    What the kind has no field for any more is not shown.
    """
    known = {"title": "Dune", "writer": "F. H.", "tags": ["sand"], "finished": True}
    own = ALICE_DM.own
    put_memory(database, own, {"kind": "Book", "content": known, "sources": []})
    told = {"title": "dune", "author": "Herbert"}
    if formed:
        model.answer([("Book", {**told, "evidence": "Dune is by Herbert"})])
        await former.form(ALICE_DM, words("Dune is by Herbert"))
    else:
        source = PersonMessage(actor="command")
        pool, embedder = former.pool, former.embedder
        await add_memory(pool, embedder, own, "Book", told, source)
    [row] = owner_rows(database, "SELECT value FROM store")
    assert row["value"]["content"] == {**told, "tags": ["sand"], "finished": True}


async def test_a_field_that_a_kind_has_got_since_is_changed(
    former: Former, model: ScriptedModel, database: str
) -> None:
    """A model replaces it like any other field, although the stored memory does not have it."""
    known = {"title": "Dune", "writer": "F. H."}
    put_memory(database, ALICE_DM.own, {"kind": "Book", "content": known})
    told = "Dune is by Herbert"
    model.answer(
        lambda shown: [patch(shown.id_of("Dune"), author="Herbert", evidence=told)]
    )
    formed = await former.form(ALICE_DM, words(told))
    assert [one.action for one in formed.changes] == ["updated"]
    [row] = owner_rows(database, "SELECT value FROM store")
    assert row["value"]["content"]["author"] == "Herbert"


async def test_a_strict_kind_is_formed_and_changed(
    former: Former, model: ScriptedModel, database: str
) -> None:
    """Its days are texts in JSON, and a field that it has no more is left out of what is stored."""
    known = {"place": "Oslo", "day": "2026-12-01", "with": "Mia"}
    put_memory(database, ALICE_DM.own, {"kind": "Visit", "content": known})
    told = "I go to Oslo on the 2nd, and to Rome on the 3rd"
    rome = {"place": "Rome", "day": "2026-12-03", "evidence": told}
    model.answer(
        lambda shown: [
            patch(shown.id_of("Oslo"), day="2026-12-02", evidence=told),
            ("Visit", rome),
        ]
    )
    formed = await former.form(ALICE_DM, words(told))
    assert {one.action for one in formed.changes} == {"updated", "remembered"}
    rows = owner_rows(database, "SELECT value->'content' AS content FROM store")
    stored = [row["content"] for row in rows]
    assert {"place": "Oslo", "day": "2026-12-02", "letters": 4} in stored
    assert {"place": "Rome", "day": "2026-12-03", "letters": 4} in stored


async def test_a_subject_at_its_default_is_the_same_thing(
    former: Former, model: ScriptedModel, database: str
) -> None:
    """There is one memory of it, which what is said later changes."""
    for purpose in ("reading", "writing"):
        said = f"I book a room for {purpose}"
        model.answer([("Room", {"purpose": purpose, "evidence": said})])
        await former.form(ALICE_DM, words(said))
    [row] = owner_rows(database, "SELECT value FROM store")
    assert row["value"]["content"] == {"building": "north", "purpose": "writing"}


@pytest.mark.parametrize("days", [[], ["2026-12-01"]])
async def test_an_object_keeps_its_type(
    former: Former, model: ScriptedModel, database: str, days: list[str]
) -> None:
    """The field that tells it may be at its default; the model calls a kind by its name."""
    said = "I go to Oslo by boat"
    by = {"type": "boat", "days": days}
    model.answer([("Trip", {"to": "Oslo", "by": by, "evidence": said})])
    formed = await former.form(ALICE_DM, words(said))
    assert [one.action for one in formed.changes] == ["remembered"]
    [row] = owner_rows(database, "SELECT value FROM store")
    stored = row["value"]["content"]
    assert stored["by"] == {**by, "length": len(days)}
    assert "Trip" in [tool["name"] for tool in model.requests[0]["tools"]]
    [change] = await edit_memory(
        former.pool,
        former.embedder,
        ALICE_DM.person,
        formed.changes[0].key,
        {**stored, "cost": 90.5},
        PersonMessage(actor="modal"),
    )
    assert change.after == {**stored, "cost": 90.5}


@pytest.mark.parametrize("cost", ["NaN", "1e999", '"nan"'])
async def test_a_number_that_json_does_not_have_is_asked_for_again(
    former: Former, model: ScriptedModel, database: str, cost: str
) -> None:
    """PostgreSQL would store none of the message's memories."""
    said = "I go to Oslo"
    trip = f'{{"to": "Oslo", "cost": {cost}, "evidence": "{said}"}}'
    model.answer([("Trip", trip)], [fix(cost=90.5)])
    await former.form(ALICE_DM, words(said))
    [row] = owner_rows(database, "SELECT value FROM store")
    assert row["value"]["content"]["cost"] == 90.5
