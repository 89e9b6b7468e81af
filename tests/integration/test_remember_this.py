"""Remember This: a message the person points at is remembered, with it as the source."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bot.acts.kinds import Forget
from bot.conversation.audiences import invalidate_kind
from bot.conversation.edits import delete_texts
from bot.locale import say
from bot.off.switches import turn_on
from bot.remembering.adding import check_may_store
from bot.runtime.maintenance import end_history
from memory import PUBLIC
from memory.postgres import person_transaction
from tests.databases import naming
from tests.integration.app import App
from tests.integration.playground_slack import PersonThread

GONE = pytest.mark.failed_calls(
    "conversations.replies: thread_not_found",
    because="The message was deleted in Slack.",
)


async def pointed_at(app: App, place: PersonThread) -> str:
    """Use the shortcut on the message of a place; return what it says."""
    return (await app.point_at(place)).line


async def test_it_is_remembered_where_it_was_said(app: App) -> None:
    """The memory quotes the message, links to it, and belongs to that conversation's audience."""
    place = app.slack.place(channel="private", text="I love ramen")
    assert (await pointed_at(app, place)).startswith("Remembered: ")
    [memory] = await app.memories(app.person(place))
    assert memory.kind == "UserFoodPreference"
    assert memory.audience == place.channel
    assert memory.source_messages == [(place.channel, place.ts)]
    assert memory.sources[0]["actor"] == "formation"
    assert memory.sources[0]["evidence"] == "I love ramen"
    assert await pointed_at(app, place) == say("en", "add_known")


async def test_it_is_not_formed_a_second_time(app: App) -> None:
    """What was answered and then pointed at is taken up: nothing more is formed of it."""
    place = app.slack.place()
    said = await app.ask(place, "I love ramen")
    here = PersonThread(place.user, place.team, place.channel, said.ts, said.thread_ts)
    await pointed_at(app, here)
    assert app.turn(said)["formed_at"] is not None


def by_another(app: App, place: PersonThread) -> str:
    """Let another person write in the conversation of a place."""
    user, _ = app.slack.person()
    app.slack.control("channels/update", {"channel": place.channel, "add": [user]})
    return str(app.slack.say(user, place.channel, "I love ramen")["ts"])


def by_the_app(app: App, place: PersonThread) -> str:
    """Let the app write in the conversation of a place."""
    return str(
        app.slack.as_app(
            "chat.postMessage", channel=place.channel, text="You like ramen."
        )["ts"]
    )


def own(text: str, **more: Any) -> Callable[[App, PersonThread], str]:
    """Let the person of a place write there."""

    def write(app: App, place: PersonThread) -> str:
        return str(app.slack.say(place.user, place.channel, text, **more)["ts"])

    return write


@pytest.mark.parametrize(
    ("write", "key"),
    [
        (by_another, "remember_not_own"),
        (by_the_app, "remember_not_own"),
        (own("> I love ramen"), "remember_no_words"),
        (own("", files=[{"id": "F1"}]), "remember_no_words"),
        (own("password=hunter2hunter2"), "refused_secret"),
    ],
)
async def test_what_teaches_nothing_is_said(
    app: App, write: Callable[[App, PersonThread], str], key: str
) -> None:
    """Others' messages, the bot's, quotes, files and secrets are one sentence and no row."""
    place = app.slack.place(channel="public")
    ts = write(app, place)
    here = PersonThread(place.user, place.team, place.channel, ts, ts)
    assert await pointed_at(app, here) == say("en", key, what="a password")
    assert await app.memories(app.person(place)) == []


async def test_what_was_forgotten_is_not_learned_again(app: App) -> None:
    """A message the person had forgotten teaches nothing, also when they point at it."""
    place = app.slack.place(text="I love ramen")
    await pointed_at(app, place)
    await app.click(app.person(place), Forget(everything=True))
    assert await pointed_at(app, place) == say("en", "remember_off_record")
    assert await app.memories(app.person(place)) == []


async def test_pointing_at_a_message_while_memory_is_off_stores_nothing(
    app: App,
) -> None:
    """What was said to the app then stays off the record; another message is read when it is on."""
    place = app.slack.place()
    who = app.person(place)
    await app.off(place)
    told = await app.ask(place, "I love ramen")
    said = app.slack.say(place.user, place.channel, "I love soba")
    to_the_app = PersonThread(place.user, place.team, place.channel, told.ts, told.ts)
    to_others = PersonThread(
        place.user, place.team, place.channel, said["ts"], said["ts"]
    )
    for here in (to_the_app, to_others):
        assert await pointed_at(app, here) == say("en", "off")
    await turn_on(app.core, who)
    assert await pointed_at(app, to_the_app) == say("en", "remember_off_record")
    assert await app.memories(who) == []
    await pointed_at(app, to_others)
    assert [one.content["food_name"] for one in await app.memories(who)] == ["soba"]


@pytest.mark.parametrize("answered", [False, True])
async def test_what_was_said_in_a_private_channel_stays_there(
    app: App, answered: bool
) -> None:
    """A message from before its channel became public is remembered for the channel alone."""
    place = app.slack.place(channel="private", text="I love ramen")
    if answered:
        said = await app.ask(place, "I love ramen")
        place = PersonThread(place.user, place.team, place.channel, said.ts, said.ts)
    app.slack.control("channels/update", {"channel": place.channel, "private": False})
    await invalidate_kind(app.core, app.slack.team_id, place.channel)
    await pointed_at(app, place)
    [ramen] = await app.memories(app.person(place))
    assert ramen.audience == place.channel
    # Clocks may differ by two seconds.
    app.rows(
        "UPDATE conversations SET changed_at = changed_at - interval '3 seconds'"
        " WHERE channel_id = %s RETURNING 1",
        place.channel,
    )
    later = app.slack.say(place.user, place.channel, "I love sushi")
    here = PersonThread(place.user, place.team, place.channel, later["ts"], later["ts"])
    await pointed_at(app, here)
    where = {
        one.content["food_name"]: one.audience
        for one in await app.memories(app.person(place))
    }
    assert where == {"ramen": place.channel, "sushi": PUBLIC}


@GONE
async def test_what_was_undone_goes_with_its_message(app: App) -> None:
    """Nothing quotes a deleted message, although what it said did not count any more."""
    place = app.slack.place(channel="public", text="I love ramen.")
    done = await app.point_at(place)
    await app.click(app.person(place), done.undo)
    message = app.slack.message(
        place, ts=place.ts, thread_ts=place.root, text="I love ramen."
    )
    assert "statements" in naming(app.database, "love ramen")
    await app.change(message, None)
    assert "statements" not in naming(app.database, "love ramen")


@GONE
@pytest.mark.parametrize("blanked", ["history", "forgotten", "off_record"])
async def test_a_message_whose_turn_is_blank_takes_its_memory_along(
    app: App, blanked: str
) -> None:
    """Deleted after the texts of its turn were, a message is no source any more."""
    said = await app.ask(app.slack.place(), "I love ramen. I love sushi.")
    ramen, sushi = await app.form(said), await app.memories(said.person)
    assert len(ramen) == len(sushi) == 2
    match blanked:
        case "history":
            app.rows(
                "UPDATE messages SET begun_at = now() - interval '35 days',"
                " ended_at = now() - interval '35 days' WHERE ts = %s RETURNING 1",
                said.ts,
            )
            await end_history(app.pool, 30)
        case "forgotten":
            await app.click(said.person, Forget(keys=(sushi[0].key,)))
            await app.end_undo(said.person)
        case "off_record":
            async with person_transaction(app.pool, said.person) as transaction:
                await delete_texts(transaction, app.turn(said)["id"])
    assert app.turn(said)["question"] == ""
    await app.change(said, None)
    assert await app.memories(said.person) == []


@pytest.mark.parametrize("how", ["deleted", "edited"])
async def test_what_a_tool_stored_follows_a_message_that_is_not_formed_yet(
    app: App, how: str
) -> None:
    """Before formation, too, what an edit or a deletion takes from a message goes from memory."""
    content = {"kind": "UserFoodPreference", "food_name": "ramen", "preference": 80}
    given = {"action": "create", "content": content, "evidence": "I love ramen"}
    app.script_calls(("memory_change", given))
    said = await app.ask(app.slack.place(), "Remember that I love ramen")
    assert len(await app.memories(said.person)) == 1
    assert app.turn(said)["formed_at"] is None
    await app.change(said, None if how == "deleted" else "Remember nothing")
    assert await app.memories(said.person) == []


def meanwhile(
    monkeypatch: pytest.MonkeyPatch, done: Callable[[], Awaitable[Any]]
) -> None:
    """Do something once, after the first checks, before a model is asked."""

    async def checked(*given: Any) -> None:
        monkeypatch.setattr("bot.remembering.adding.check_may_store", check_may_store)
        await check_may_store(*given)
        await done()

    monkeypatch.setattr("bot.remembering.adding.check_may_store", checked)


@GONE
@pytest.mark.parametrize("text", [None, "I love sushi"], ids=["deleted", "edited"])
@pytest.mark.parametrize("answered", [False, True])
async def test_what_changes_while_it_is_remembered_is_not_remembered(
    app: App, monkeypatch: pytest.MonkeyPatch, text: str | None, answered: bool
) -> None:
    """Edited or deleted while the model reads it, a message is no source; its new words are.

    One that is not stored is read from Slack, and formed, again after that.
    """
    place = app.slack.place(text="I love ramen")
    said = app.slack.message(place, text="I love ramen")
    if answered:
        said = await app.ask(place, "I love ramen")
    here = PersonThread(place.user, place.team, place.channel, said.ts, said.thread_ts)
    meanwhile(monkeypatch, lambda: app.change(said, text))
    line = await pointed_at(app, here)
    assert (say("en", "changed_meanwhile") in line) == answered
    await app.follow_changes()
    found = [one.content["food_name"] for one in await app.memories(said.person)]
    assert found == (["sushi"] if text and not answered else [])
    if answered and text:
        await app.answering.drain(said.thread)
        [sushi] = await app.form(said)
        assert sushi["food_name"] == "sushi"
