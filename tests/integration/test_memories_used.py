"""*Memories Used* below a reply: the memories that it could use, for who asked alone."""

from __future__ import annotations

import json

from bot.notices import SHOW_NOTICE, show_notice
from bot.ui.panel import UNDO, Position
from memory import DM, Person
from tests.integration.app import App
from tests.integration.messages import says
from tests.integration.test_audiences import remembered

FOODS = [f"{kind} soup" for kind in ("miso", "onion", "leek", "bean", "corn", "tomato", "lentil")]


async def tell(app: App, person: Person) -> None:
    """Remember the foods."""
    vectors = await app.embedder.embed(FOODS)
    for food, vector in zip(FOODS, vectors, strict=True):
        app.rows(
            "UPDATE store_vectors SET embedding = %s::text::vector WHERE key = %s RETURNING key",
            json.dumps(vector),
            remembered(app, person, DM, food),
        )


async def test_they_are_in_the_order_of_the_prompt(app: App) -> None:
    """Each is listed once; what was forgotten since is left out."""
    place = app.slack.place()
    await tell(app, app.person(place))
    message = await app.ask(place, "Where is good lentil soup?")
    recalled = app.turn(message)["recalled"]
    assert len(recalled) == len(FOODS)
    used = Position(list="used", of=str(app.turn(message)["id"]))
    shown = await app.panel(message.person, used)
    assert [one.key for one in shown.memories] == recalled
    await app.click(message.person, "forget", f"keys {recalled[0]}")
    shown = await app.panel(message.person, used)
    assert [one.key for one in shown.memories] == recalled[1:]


async def test_a_failed_answer_has_no_button(app: App) -> None:
    """Neither at once, nor when a notice of what its question taught is shown below it."""
    place = app.slack.place()
    await tell(app, app.person(place))
    app.fault(status=400)
    message = await app.ask(place, "I love ramen")
    assert app.turn(message)["status"] == "failed"
    assert app.turn(message)["recalled"]
    assert not says(app.shown(message), "used_button")
    await app.form(message)
    for job in app.take_jobs(SHOW_NOTICE):
        await show_notice(app.wiring.app, **job)
    assert f'"action_id": "{UNDO}"' in json.dumps(app.shown(message))
    assert not says(app.shown(message), "used_button")
