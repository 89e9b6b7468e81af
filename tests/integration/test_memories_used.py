"""*Memories Considered* below a reply: the five nearest to the question, then the others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.locale import LANGUAGES, Language, say
from bot.notices.change_notices import SHOW
from bot.slack.messages import Message
from bot.views.changes import UNDO_CHANGE_ACTION
from bot.views.memories import NEAREST_SHOWN
from bot.views.modal_triggers import USED_ACTION
from memory import DM, Person
from playground.blocks import view_errors
from tests.integration.app import App
from tests.integration.test_audiences import remembered

KINDS = ("miso", "onion", "leek", "bean", "corn", "tomato", "lentil", "pumpkin")
FOODS = [f"{kind} soup" for kind in KINDS]

# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database


async def used(
    app: App, message: Message, language: Language = "en", value: str = ""
) -> dict[str, Any]:
    """Return the modal that the button below a reply opens, or the button in it with `value`."""
    value = value or str(app.turn(message)["id"])
    body = {"actions": [{"action_id": USED_ACTION, "value": value}]}
    view = await app.wiring.modals.content(body, message.person, language)
    assert view_errors(view) == []
    return dict(view)


def foods(view: dict[str, Any]) -> list[str]:
    """Return the foods that a modal lists, in order."""
    listed = [b["text"]["text"] for b in view["blocks"] if b.get("accessory")]
    return [next(food for food in FOODS if food in text) for text in listed]


async def tell(app: App, person: Person) -> None:
    """Remember the foods."""
    vectors = await app.embedder.embed(FOODS)
    for food, vector in zip(FOODS, vectors, strict=True):
        key = remembered(app, person, DM, food)
        app.rows(
            "UPDATE store_vectors SET embedding = %s::text::vector WHERE key = %s RETURNING key",
            json.dumps(vector),
            key,
        )


@pytest.mark.parametrize("language", LANGUAGES)
async def test_five_and_then_the_others(app: App, language: Language) -> None:
    """The nearest is the first; a button shows all the others, each memory once."""
    place = app.slack.place()
    await tell(app, app.person(place))
    message = await app.ask(place, "Where is good lentil soup?")
    view = await used(app, message, language)
    nearest = foods(view)
    assert len(nearest) == NEAREST_SHOWN
    assert nearest[0] == "lentil soup"
    [row] = [block for block in view["blocks"] if block["type"] == "actions"]
    [more] = row["elements"]
    assert more["text"]["text"] == say(language, "used_show_others", count=3)
    others = await used(app, message, language, more["value"])
    assert sorted([*nearest, *foods(others)]) == sorted(FOODS)
    assert not any(block["type"] == "actions" for block in others["blocks"])


async def test_without_embeddings_the_order_is_that_of_the_prompt(app: App) -> None:
    """Where the nearest cannot be found, and where the question is deleted, five are shown."""
    place = app.slack.place()
    await tell(app, app.person(place))
    message = await app.ask(place, "Where is a good soup of beans?")
    recalled = app.turn(message)["recalled"]
    stored = {m.key: m for m in await app.memories(message.person)}
    expected = [str(stored[reference].content["food_name"]) for reference in recalled[:5]]
    app.rows("UPDATE turns SET question = '' WHERE id = %s RETURNING id", app.turn(message)["id"])
    assert foods(await used(app, message)) == expected


async def test_a_failed_answer_has_no_button(app: App) -> None:
    """Neither at once, nor when a notice of what its question taught is shown below it."""
    place = app.slack.place()
    await tell(app, app.person(place))
    app.fault(status=400)
    message = await app.ask(place, "I love ramen")
    assert app.turn(message)["status"] == "failed"
    assert app.turn(message)["recalled"]
    assert USED_ACTION not in json.dumps(app.shown(message))
    await app.form(message)
    for job in app.take_jobs(SHOW):
        await app.wiring.notices.show(**job)
    shown = json.dumps(app.shown(message))
    assert UNDO_CHANGE_ACTION in shown
    assert USED_ACTION not in shown
