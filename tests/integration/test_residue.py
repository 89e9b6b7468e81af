"""Words are planted and forgotten in every way; docs/forgetting.md says how many are found."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from bot.acts.kinds import Forget
from bot.data.person import erase_person, export_person
from bot.listeners.interactions import KEEP_FOR_CHANNEL
from bot.slack.messages import Message
from tests.conftest import ROOT
from tests.databases import printed
from tests.integration.app import App
from tests.integration.messages import pressable
from tests.integration.playground_slack import PersonThread
from tests.person import elements

# Each mark is a word that nothing else has; the stand-in remembers these sentences.
MARK = "velmira"
FORMED = (
    "My boat is called Velmira{}",
    "I love Velmira{} noodles",
    "I work with the team Velmira{}",
    "I promised Mia to call Velmira{} by Friday",
    "My manager is Velmira{}",
)
TIERS = ("statements", "store", "messages", "kept")
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
VECTORS = "SELECT count(*) FROM store_vectors WHERE prefix LIKE %s"


async def plant(app: App) -> tuple[PersonThread, PersonThread]:
    """Let a person say marked words; return their direct messages and their channel."""
    place = app.slack.place()
    there = replace(place, channel=app.slack.channel("public", place.user))
    bot = f"<@{app.slack.bot_user_id}> "
    number = 0
    for where, mention in ((place, ""), (there, bot)):
        for sentence in FORMED:
            number += 1
            said = await app.ask(where, mention + sentence.format(number))
            await app.form(said, "dm" if where is place else "public")
    # What the model answers, a question with it, a file's words and what is only asked.
    for text in (
        "What is my boat called?",
        "And `Velmira{}` in code?",
        "Is it Velmira{}?",
    ):
        number += 1
        app.script(f"It is Velmira{number}, I think.")
        await app.ask(place, text.format(number))
    await app.add(app.person(place), f"Velmira{number + 1} is twelve metres long")
    edited = await app.ask(place, f"I like Velmira{number + 2} tea")
    await app.form(edited)
    await app.change(edited, f"I like Velmira{number + 3} tea")
    await app.form(edited)
    line = f"The key of Velmira{number + 4} is with Ana"
    ts = app.slack.say(place.user, there.channel, line)["ts"]
    kept = replace(there, ts=ts, root=ts)
    await app.interface.point_at(kept, app.person(place), KEEP_FOR_CHANNEL)
    await app.show_lines()
    await app.ask(app.slack.place(), f"Who is Velmira{number + 5}, of whom they talk?")
    return place, there


def marks(texts: object) -> int:
    """Return how many different marks some texts have."""
    return len(set(re.findall(rf"{MARK}\d+", str(texts).lower())))


async def look(
    app: App, place: PersonThread, there: PersonThread, log: str
) -> list[int]:
    """Return how many marks each tier has; other tables and the log have none."""
    tables = [row["tablename"] for row in app.rows(TABLES)]
    rows = printed(app.database, *tables)
    posts = app.slack.seen(place.user, place.channel)
    posts += app.slack.seen(place.user, there.channel)
    own = [one for one in posts if one.get("user") == app.slack.bot_user_id]
    lasting = [one for one in own if not one.get("is_ephemeral")]
    exported = await export_person(app.pool, app.person(place), app.core.settings)
    app.script("I do not know.")
    await app.ask(place, "And what else?")
    counts = [marks(rows.pop(tier)) for tier in TIERS]
    assert app.rows(VECTORS, f"%{place.user}%") == [{"count": counts[1]}]
    assert marks([rows, log]) == 0
    return [*counts, *map(marks, (exported, app.prompts()[-1], lasting))]


async def press_last(app: App, sent: Message) -> None:
    """Press the last button below an answer: it forgets all that is listed."""
    shown = {**app.shown(sent)[-1], "channel": sent.channel_id}
    await app.interface.press(sent.person, shown, elements(shown)[-1])


Forgets = Callable[[App, PersonThread], Awaitable[None]]


async def by_keys(app: App, place: PersonThread) -> None:
    """Forget each memory by its row's menu."""
    who = app.person(place)
    for memory in await app.memories(who):
        await app.click(who, Forget(keys=(memory.key,)))


async def by_command(app: App, place: PersonThread) -> None:
    """Type `/forget` with the word, and press the button for all."""
    who = app.person(place)
    for number in range(1, 30):
        asked = await app.interface.type_command(
            who, place.channel, "/forget", f"Velmira{number}"
        )
        shown = asked.message or asked.form or {}
        acts = pressable([dict(shown)], Forget)
        if acts:
            await app.click(who, acts[0])


async def by_words(app: App, place: PersonThread) -> None:
    """Say it in a message, and press the button."""
    await press_last(app, await app.ask(place, "Forget what I said about Velmira"))


async def by_time(app: App, place: PersonThread) -> None:
    """Forget the last hour."""
    await press_last(app, await app.ask(place, "Forget the last hour"))


async def everything(app: App, place: PersonThread) -> None:
    """Forget everything."""
    await app.click(app.person(place), Forget(everything=True))


async def erasing(app: App, place: PersonThread) -> None:
    """Delete all data."""
    await erase_person(app.pool, app.person(place))


WAYS: dict[str, Forgets] = {
    "*Forget* of each memory": by_keys,
    "`/forget` and each word": by_command,
    "“Forget what I said about …”": by_words,
    "“Forget the last hour”": by_time,
    "*Forget Everything*": everything,
    "*Delete All My Data*": erasing,
}


@pytest.mark.parametrize("way", WAYS)
async def test_the_page_says_what_is_left_of_forgotten_words(
    app: App, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Before, after the click, and ten minutes later."""
    caplog.set_level(logging.DEBUG)
    page = (ROOT / "docs/forgetting.md").read_text("utf-8").splitlines()
    place, there = await plant(app)

    async def check(name: str) -> None:
        await app.show_notices()
        await app.show_lines()
        counts = await look(app, place, there, caplog.text)
        row = f"| {name} | {' | '.join(map(str, counts))} |"
        assert row in page

    await check("Before")
    await WAYS[way](app, place)
    if way != "*Delete All My Data*":
        await check("After the click")
    await app.end_undo(app.person(place))
    await check(way)
