"""Promises in Slack's interface: what is said of one, and what each button does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.notices import SHOW_NOTICE, add_notice, show_notice
from bot.ui.acts import ChangePromise
from memory import DM, Origin, add_memories
from memory.model import PROMISE_KIND
from memory.postgres import person_transaction
from tests.integration.app import App, receiving
from tests.integration.person import SlackPerson
from tests.integration.test_promises import SENTENCE, minute
from tests.person import Place, shown
from tests.waiting import until

pytestmark = pytest.mark.own_slack


@pytest.fixture
async def ann(app: App) -> AsyncIterator[SlackPerson]:
    """A person who has told the app of a promise."""
    async with receiving(app):
        yield SlackPerson(app, "ja")


async def told(ann: SlackPerson, food: str = "", **content: Any) -> Place:
    """Let the person promise something, and name a food; return the notice below the answer."""
    message = await ann.say("Hello")
    turn = ann.app.turn(message)["id"]
    source = Origin(actor="command", evidence=SENTENCE, channel=message.channel_id, ts=message.ts)
    given = {"promise": "the Q3 figures", "to": "Mia", **content}
    app, namespace = ann.app, ann.person.namespace(DM)
    liked = [({"food_name": food, "preference": 80}, source)] if food else []
    for kind, contents in (("UserFoodPreference", liked), (PROMISE_KIND, [(given, source)])):
        await add_memories(app.pool, app.embedder, namespace, kind, contents, batch=turn)
    async with person_transaction(app.pool, ann.person) as connection:
        await add_notice(app.wiring.app, connection, ann.person, turn)
    for job in app.take_jobs(SHOW_NOTICE):
        await show_notice(app.wiring.app, **job)
    seen = await ann.control(f"channels/dm/messages?as={ann.user}&thread_ts={message.ts}")
    return {**seen["messages"][-1], "channel": "dm"}


async def due(ann: SlackPerson) -> tuple[str, str | None, str]:
    """Return day, time and state of the person's promise."""
    found = {one.kind: one.content for one in await ann.app.memories(ann.person)}[PROMISE_KIND]
    return found["due"], found["due_time"], found["state"]


async def becomes(ann: SlackPerson, *expected: tuple[str | None, str | None, str]) -> None:
    """Wait until the promise has this day, time and state."""

    async def same() -> bool:
        return (await due(ann),) == expected

    await until(same)


def day(ann: SlackPerson, later: int) -> str:
    """Return a day from today on in the person's zone."""
    [row] = ann.app.rows(
        "SELECT time_zone FROM person_settings WHERE user_id = %s", ann.person.user_id
    )
    zone = ZoneInfo(row["time_zone"])
    return (datetime.now(zone) + timedelta(days=later)).date().isoformat()


async def test_a_promise_is_told_with_its_reminder_and_changed_by_its_buttons(
    ann: SlackPerson,
) -> None:
    """One line below the answer says when; *Edit* opens the form, where a day is no sentence."""
    notice = await told(ann, food="ramen", due="2099-11-27", due_time="10:00")
    assert notice["text"].count("\n") == 1
    assert "Mia" in shown(notice)
    assert "2099" in shown(notice)
    await ann.press(notice, "edit")
    form = await ann.form_opens()
    await ann.submit(form, **{"field.due": "2098-01-02", "field.due_time": "11:30"})
    await becomes(ann, ("2098-01-02", "11:30", "open"))
    said = [one.sources for one in await ann.app.memories(ann.person) if "Mia" in str(one.content)]
    assert [[one["evidence"] for one in sources] for sources in said] == [[SENTENCE]]


async def test_a_promise_without_a_day_asks_for_one(ann: SlackPerson) -> None:
    """*Tomorrow* sets it, and its notice asks no more; a second click changes nothing.

    Home lists the open promise first, and its menu ends it.
    """
    notice = await told(ann)
    assert ann.sentence("promise_pick") in shown(notice)
    await ann.press(notice, "promise", to="tomorrow")
    await becomes(ann, (day(ann, 1), None, "open"))
    await ann.changed(notice)
    [job] = ann.app.take_jobs(SHOW_NOTICE)
    await show_notice(ann.app.wiring.app, **job)
    [notice] = [one for one in await ann.seen() if one["ts"] == notice["ts"]]
    assert ann.sentence("promise_pick") not in shown(notice)
    assert "9:00" in shown(notice)
    promise = await ann.memory("Mia")
    again = await ann.app.click(ann.person, ChangePromise(key=promise.key, to="tomorrow"))
    assert again.line == ann.sentence("nothing_changed")
    assert await ann.memory("Mia") == promise
    await ann.remember("ramen")
    home = shown(await ann.open_home())
    title = f"*{ann.sentence('promises_title')}*"
    assert home.index(title) < home.index("Q3") < home.index("ramen")
    await ann.click(await ann.home(), "promise", to="done")
    await becomes(ann, (day(ann, 1), None, "done"))
    assert ann.sentence("promises_title") not in shown(await ann.home())


@pytest.mark.parametrize(
    ("button", "expected"),
    [("done", (None, "done")), ("tomorrow", (1, "open")), ("dropped", (None, "dropped"))],
)
async def test_each_button_of_a_reminder_does_what_it_says(
    ann: SlackPerson, button: str, expected: tuple[int | None, str]
) -> None:
    """The reminder quotes the person; a click changes the promise, with *Undo*."""
    before = (datetime.now(UTC) - timedelta(days=2)).date().isoformat()
    await told(ann, due=before)
    ann.app.rows(
        "UPDATE statements SET said_at = '2020-01-01' WHERE kind = 'Promise' AND user_id = %s"
        " RETURNING key",
        ann.person.user_id,
    )
    await minute(ann.app)
    [reminder] = [one for one in await ann.seen() if SENTENCE in shown(one)]
    place = {**reminder, "channel": "dm"}
    await ann.press(place, "promise", to=button)
    later, state = expected
    expected_day = before if later is None else day(ann, later)
    await becomes(ann, (expected_day, None, state))
    undone = await ann.changed(place)
    await ann.press(undone, "undo", what="changes")
    await becomes(ann, (before, None, "open"))
