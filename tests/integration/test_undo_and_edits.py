"""Messages that are edited or deleted in Slack while an Undo or another write is under way."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bot.acts.kinds import Forget, Move, Undo
from bot.forgetting.forgetting import end_texts
from bot.remembering.formation import form_memories
from bot.slack.messages import Message
from memory import PersonMessage, list_changes
from memory.store import expire_due
from tests.integration.app import App
from tests.integration.messages import changed
from tests.memories import add_memory


async def foods(app: App, message: Message) -> list[str]:
    """Return what is remembered of the author's food."""
    return [
        memory.content["food_name"] for memory in await app.memories(message.person)
    ]


@pytest.mark.parametrize("how", ["undone", "edited", "deleted"])
async def test_what_was_answered_since_is_shown_to_no_model_again(
    app: App, how: str
) -> None:
    """In no conversation, in whatever words; what was asked before the message still is."""
    place = app.slack.place()
    await app.ask(place, "Where is Kyoto?")
    said = await app.ask(place, "My boat is called Velmira")
    await app.form(said)
    app.script("She is a fine ship, your V.")
    await app.ask(place, "What is my boat called?")
    channel = app.slack.channel("public", place.user)
    elsewhere = replace(place, channel=channel)
    app.script("Your V. sails on Monday.")
    asked = await app.ask(elsewhere, "When does my boat sail?")
    if how == "undone":
        [change] = await list_changes(app.pool, said.person)
        await app.click(said.person, Undo(what="notice", ids=(change.batch,)))
    else:
        text = None if how == "deleted" else "My boat is called Quetzal"
        await app.change(said, text)
    await app.ask(place, "Which boat do I have?")
    prompt = json.dumps(app.prompts()[-1])
    assert "Kyoto" in prompt
    assert not [one for one in ("Velmira", "your V.", "sails") if one in prompt]
    assert ("Quetzal" in prompt) is (how == "edited")
    await app.ask(elsewhere, "Which boat?", thread_ts=asked.ts)
    assert "Your V. sails" not in json.dumps(app.prompts()[-1])
    if how == "undone":
        # Slack sends the same text again, for a reply or a preview.
        await app.change(said, "My boat is called Velmira")
        assert await app.form(said) == []


async def test_a_deletion_takes_what_was_forgotten_from_the_message_with_it(
    app: App,
) -> None:
    """No Undo brings that back; other forgettings can still be undone."""
    place = app.slack.place()
    said = await app.ask(place, "I love ramen")
    other = await app.ask(place, "I love natto")
    app.script("You love ramen.")
    asked = await app.ask(place, "What do I like?")
    await app.form(said)
    [ramen] = [
        one for one in await app.memories(said.person) if "ramen" in str(one.content)
    ]
    [natto] = [
        one for one in await app.memories(said.person) if "natto" in str(one.content)
    ]
    gone = await app.click(said.person, Forget(keys=(ramen.key,)))
    forgetting = await app.click(said.person, Forget(keys=(natto.key,)))
    await app.change(said, None)
    await expire_due(app.pool, end_texts=end_texts)
    assert app.turn(asked)["reply"] is None
    await app.click(said.person, gone.undo)
    assert await foods(app, other) == []
    await app.click(other.person, forgetting.undo)
    assert await foods(app, other) == ["natto"]


@pytest.mark.parametrize("answered", [True, False])
async def test_an_edit_without_the_previous_message_is_remembered(
    app: App, answered: bool
) -> None:
    """Slack's reference shows the event so: its message names the author."""
    place = app.slack.place()
    if answered:
        message = await app.ask(place, "I love ramen")
        await app.form(message)
    else:
        message = await app.receive(place, "I love ramen")
    where = {"user": message.user_id, "channel": message.channel_id, "ts": message.ts}
    app.slack.control("messages/edit", {**where, "text": "I love sushi"})
    edited = changed(message, "I love sushi")
    del edited["event"]["previous_message"]
    await app.note(edited)
    await app.follow_changes()
    await app.answering.drain(message.thread)
    await app.form(message)
    assert await foods(app, message) == ["sushi"]


async def test_a_change_that_leaves_the_text_as_it_is_forms_nothing_again(
    app: App,
) -> None:
    """Slack sends one for each reply below a message, perhaps without the message before it."""
    place = app.slack.place()
    message = await app.ask(place, "I love ramen")
    await app.form(message)
    turn = app.turn(message)
    same = changed(message, message.text)
    del same["event"]["previous_message"]
    await app.note(same)
    assert app.formations(message.person) == []
    assert app.turn(message) == {**turn, "changed_ts": same["event"]["ts"]}


async def form_as_scheduled(app: App, message: Message) -> int:
    """Run a job of formation as a worker does; return how many requests it made."""
    before = requests_for_memories(app)
    await form_memories(app.core, message.team_id, message.user_id, "dm")
    return requests_for_memories(app) - before


def requests_for_memories(app: App) -> int:
    """Return how many requests of the memory model there were."""
    entries = app.stand_in.call("/_model/journal")["entries"]
    return sum(one.get("kind") in ("formation", "verdict") for one in entries)


def seconds_later(app: App, seconds: int) -> None:
    """Let time pass since the last change, and since the last words."""
    for column in (
        "people SET changed_at = changed_at",
        "messages SET ended_at = ended_at",
    ):
        app.rows(f"UPDATE {column} - interval '{seconds} seconds' RETURNING 1")


@pytest.mark.parametrize("how", ["edited", "deleted by a bot"])
async def test_words_that_change_again_and_again_are_read_once_they_rest(
    app: App, how: str
) -> None:
    """Every five seconds for five minutes no model is asked; eight seconds after that, once.

    A preview, which changes no word, puts nothing off.
    """
    place = app.slack.place()
    message = await app.ask(place, "I love ramen")
    for number in range(60):
        if how == "edited":
            await app.edit(message, f"I love {('udon', 'soba')[number % 2]}")
        else:
            said = await app.receive(place, f"I love udon{number}")
            await app.withdraw(said)
        assert await form_as_scheduled(app, message) == 0
        seconds_later(app, 5)
    preview = changed(message, app.turn(message)["words"])
    await app.note(preview)
    seconds_later(app, 2)
    assert await form_as_scheduled(app, message) == 0
    seconds_later(app, 1)
    assert await form_as_scheduled(app, message) == 2
    assert await foods(app, message) == ["soba" if how == "edited" else "ramen"]


@pytest.mark.parametrize("undone", [True, False])
async def test_an_edit_of_a_message_of_which_something_was_forgotten(
    app: App, undone: bool
) -> None:
    """Nothing of it is formed again, unless the forgetting is undone; then all of it is."""
    message = await app.ask(app.slack.place(), "I love ramen. I live in Osaka.")
    assert len(await app.form(message)) == 2
    [ramen] = [
        one
        for one in await app.memories(message.person)
        if one.content.get("food_name")
    ]
    forgetting = await app.click(message.person, Forget(keys=(ramen.key,)))
    await app.change(message, "I love ramen! I moved to Kobe.")
    if undone:
        await app.click(message.person, forgetting.undo)
        await app.follow_changes()
    await app.form(message)
    told = str([one.content for one in await app.memories(message.person)])
    assert ("ramen" in told, "Kobe" in told, "Osaka" in told) == (
        undone,
        undone,
        False,
    )


# Each pair: what somebody wrote, and its edit, which says the opposite or something else.
TURNED = [
    ("I love ramen", "I love ramen. Just kidding!"),
    ("I live in Osaka", "If I live in Osaka one day, I'll visit"),
    ("ラーメンが好きです", "ラーメンが好きではありません"),
]


@pytest.mark.parametrize(("said", "edited"), TURNED)
async def test_an_edit_that_turns_the_meaning_takes_the_memory_back(
    app: App, said: str, edited: str
) -> None:
    """Whether the new text still contains the old one is never asked."""
    place = app.slack.place()
    message = await app.ask(place, said)
    source = PersonMessage(text=said, channel=message.channel_id, ts=message.ts)
    where = message.person.namespace("dm")
    fact = {"fact": said}
    await add_memory(app.pool, app.core.embedder, where, "UserFact", fact, source)
    app.rows("UPDATE messages SET formed_at = now() WHERE ts = %s", message.ts)
    await app.edit(message, edited)
    await app.follow_changes()
    assert await app.memories(message.person) == []
    [turn] = app.rows("SELECT words, formed_at FROM messages WHERE ts = %s", message.ts)
    assert turn == {"words": edited, "formed_at": None}


async def test_what_is_formed_again_keeps_key_move_and_what_was_decided(
    app: App,
) -> None:
    """A typo is mended: the same memory, in direct messages only, and what was undone stays so."""
    place = app.slack.place()
    message = await app.ask(place, "I love ramen. I love udon.")
    assert len(await app.form(message)) == 2
    foods_now = {
        one.content["food_name"]: one for one in await app.memories(message.person)
    }
    key = foods_now["ramen"].key
    await app.click(message.person, Move(key=key, to="public"))
    await app.click(message.person, Move(key=key, to="dm"))
    [udon] = await list_changes(app.pool, message.person, key=foods_now["udon"].key)
    await app.click(message.person, Undo(what="changes", ids=(udon.id,)))
    await app.change(message, "I really love ramen. I love udon.")
    assert await foods(app, message) == []
    await app.form(message)
    [ramen] = await app.memories(message.person)
    assert (ramen.key, ramen.audience) == (key, "dm")
    assert app.rows("SELECT 1 FROM statements WHERE state = 'edited'") == []
