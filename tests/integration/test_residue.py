"""Words are planted in every way there is and forgotten in every way: no text of them is left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from bot.acts.kinds import Forget
from bot.data.person import export_person
from tests.databases import naming
from tests.integration.app import App
from tests.integration.messages import pressable
from tests.integration.playground_slack import PersonThread

# Each mark is a word that nothing else has; the stand-in remembers these sentences.
MARK = "velmira"
FORMED = (
    "My boat is called Velmira{}",
    "I love Velmira{} noodles",
    "I work with the team Velmira{}",
    "I promised Mia to call Velmira{} by Friday",
    "My manager is Velmira{}",
)


async def plant(app: App) -> tuple[PersonThread, int]:
    """Let a person say marked words; return their direct messages, and how many marks there are."""
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
    return place, number + 3


def size(forget: Forget) -> int:
    """Return how much a button forgets."""
    return len(forget.keys) + len(forget.messages)


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
            await app.click(who, max(acts, key=size))


async def by_words(app: App, place: PersonThread) -> None:
    """Say it in a message, and press the button."""
    sent = await app.ask(place, "Forget what I said about Velmira")
    await app.click(
        app.person(place), max(pressable(app.shown(sent), Forget), key=size)
    )


async def by_time(app: App, place: PersonThread) -> None:
    """Forget the last hour."""
    sent = await app.ask(place, "Forget the last hour")
    await app.click(
        app.person(place), max(pressable(app.shown(sent), Forget), key=size)
    )


async def everything(app: App, place: PersonThread) -> None:
    """Forget everything."""
    await app.click(app.person(place), Forget(everything=True))


@pytest.mark.parametrize("way", [by_keys, by_command, by_words, by_time, everything])
async def test_no_text_of_what_was_forgotten_is_left(app: App, way: Forgets) -> None:
    """In no column of any table, nor, at once, in an export. What somebody else typed stays."""
    place, marks = await plant(app)
    who = app.person(place)
    assert marks > 12
    other = app.slack.place()
    typed = await app.ask(other, "Who is Velmira0, of whom they talk?")
    assert sum(naming(app.database, MARK).values()) > marks
    await way(app, place)
    document = str(await export_person(app.pool, who, app.core.settings))
    assert MARK not in document.lower()
    await app.end_undo(who)
    left = app.rows("SELECT ts, words FROM messages WHERE words ILIKE %s", f"%{MARK}%")
    assert left == [{"ts": typed.ts, "words": typed.text}]
    assert naming(app.database, MARK) == {"messages": 1}
