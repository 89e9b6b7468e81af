"""Forgetting what was said: with its texts, until the question, for one person, with an Undo."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.acts.kinds import Answer, Forget, Move
from bot.conversation.turns import FORM_MEMORIES
from bot.locale import Localizer, say
from bot.remembering.formation import form_memories
from memory import Person, open_questions
from tests.databases import naming
from tests.integration.app import App, MakeApp
from tests.integration.messages import pressable
from tests.integration.playground_slack import PersonThread
from tests.person import shown


async def asked_to_forget(app: App, place: PersonThread) -> Forget:
    """Let a person ask to forget the last hour; return what the button forgets."""
    asked = await app.ask(place, "Forget the last hour")
    [proposed] = pressable(app.shown(asked), Forget)
    return proposed


async def foods(app: App, who: Person) -> list[str]:
    """Return the foods that are remembered of a person."""
    return sorted(one.content["food_name"] for one in await app.memories(who))


def long_ago(app: App, ts: str) -> None:
    """Let a message, and what was said in it, be from 2023."""
    app.rows(
        "UPDATE statements SET ts = '1700000000.000100', said_at = to_timestamp(1700000000)"
        " WHERE ts = %s RETURNING key",
        ts,
    )
    app.rows(
        "UPDATE messages SET ts = '1700000000.000100' WHERE ts = %s RETURNING id", ts
    )


async def test_what_was_said_since_a_moment_is_forgotten(app: App) -> None:
    """Memories, and words that wait; what was said before it, or after the question, stays.

    The model is shown nothing of it any more. Undo brings back the memories and what waited.
    """
    place = app.slack.place()
    who = app.person(place)
    old = await app.ask(place, "I love ramen")
    await app.form(old)
    long_ago(app, old.ts)
    await app.form(await app.ask(place, "I love sushi"))
    fresh = await app.ask(place, "I love natto")
    proposed = await asked_to_forget(app, place)
    assert await foods(app, who) == ["ramen", "sushi"]
    later = await app.ask(place, "I love tempura")
    done = await app.click(who, proposed)
    assert await foods(app, who) == ["ramen"]
    assert app.turn(later)["words"] == "I love tempura"
    await app.form(later)
    assert await foods(app, who) == ["ramen", "tempura"]
    await app.ask(place, "What shall I eat?")
    prompt = app.request_texts()[-1]
    assert "tempura" in prompt
    assert "sushi" not in prompt
    assert "natto" not in prompt
    again = await app.click(who, proposed)
    assert (again.line, again.replaces) == (say("en", "memory_gone"), False)
    await app.click(who, done.undo)
    assert await foods(app, who) == ["ramen", "sushi", "tempura"]
    vectors = "SELECT key FROM store_vectors WHERE prefix = %s"
    prefix = who.namespace("dm").prefix
    assert len(app.rows(vectors, prefix)) == 3
    # As if no model had embedded them: formation is left to do it.
    app.rows("DELETE FROM store_vectors WHERE prefix = %s RETURNING key", prefix)
    await app.form(fresh)
    assert "natto" in await foods(app, who)
    assert len(app.rows(vectors, prefix)) == 4
    assert (await app.click(who, done.undo)).line == say("en", "undo_gone")


@pytest.mark.parametrize(
    ("words", "hour"),
    [("forget everything I said today", 0), ("今日話したことは全部忘れて", 0)],
)
async def test_the_question_names_the_time_that_is_meant(
    app: App, words: str, hour: int
) -> None:
    """It is that of the person's zone."""
    zone = ZoneInfo("Asia/Tokyo")
    place = app.slack.place(tz="Asia/Tokyo")
    asked = await app.ask(place, words)
    today = datetime.now(zone).replace(hour=hour, minute=0)
    since = Localizer("en", zone).minute(today)
    [proposed] = pressable(app.shown(asked), Forget)
    assert proposed.until is not None
    until = Localizer("en", zone).minute(proposed.until)
    told = " ".join(map(shown, app.shown(asked)))
    assert say("en", "forget_between", since=since, until=until) in told


@pytest.mark.parametrize("how", ["command", "words"])
async def test_what_has_taught_nothing_yet_is_found_and_forgotten(
    app: App, how: str
) -> None:
    """A message of the last day stands in prompts, or waits to be formed: it is offered, too.

    One that names something else is not. Undo brings it back, and its words are formed.
    """
    place = app.slack.place()
    who = app.person(place)
    said = await app.ask(place, "I love natto")
    other = await app.ask(place, "I love tempura")
    if how == "command":
        asked = await app.interface.type_command(who, place.channel, "/forget", "natto")
        [proposed] = pressable([dict(asked.message)], Forget)
    else:
        sent = await app.ask(place, "Forget what I said about natto")
        [proposed] = pressable(app.shown(sent), Forget)
    assert proposed.messages == ((place.channel, said.ts),)
    done = await app.click(who, proposed)
    assert say("en", "forgotten_words") in done.line
    await app.ask(place, "What shall I eat?")
    assert "natto" not in app.request_texts()[-1]
    await app.form(other)
    assert await foods(app, who) == ["tempura"]
    await app.click(who, done.undo)
    await app.form(said)
    assert await foods(app, who) == ["natto", "tempura"]


async def test_nobodys_prompt_has_what_its_author_asked_before_they_forgot_something(
    app: App,
) -> None:
    """In a channel's thread, from the click on; another asker's words stay. Undo ends that."""
    user, team = app.slack.person()
    other, _ = app.slack.person()
    channel = app.slack.channel("public", user, other)
    place = PersonThread(user, team, channel, "", "")
    mia = replace(place, user=other)
    bot = f"<@{app.slack.bot_user_id}>"
    first = await app.ask(place, f"{bot} my code is Velmira")
    below = {"thread_ts": first.ts}
    await app.ask(mia, f"{bot} my boat is Osiris", **below)
    forget = Forget(messages=((channel, first.ts),))
    done = await app.click(app.person(place), forget)
    for undone in (False, True):
        if undone:
            await app.click(app.person(place), done.undo)
        await app.ask(mia, f"{bot} what was said here?", **below)
        prompt = app.request_texts()[-1]
        assert ("Velmira" in prompt, "Osiris" in prompt) == (undone, True)


async def test_what_goes_back_to_earlier_words_can_be_restored(app: App) -> None:
    """No memory is gone, but the receipt has *Undo*."""
    place = app.slack.place()
    who = app.person(place)
    first = await app.ask(place, "I live in Osaka")
    await app.form(first)
    long_ago(app, first.ts)
    await app.form(await app.ask(place, "I moved to Tokyo"))
    proposed = await asked_to_forget(app, place)
    done = await app.click(who, proposed)
    [memory] = await app.memories(who)
    assert memory.content["fact"] == "I live in Osaka"
    await app.click(who, done.undo)
    [memory] = await app.memories(who)
    assert memory.content["fact"] == "I moved to Tokyo"


@pytest.mark.parametrize("also", ["", "moved", "deleted"])
async def test_texts_of_what_was_forgotten_go_when_it_cannot_be_undone(
    app: App, also: str
) -> None:
    """Every text from before the click goes; only what waits to be formed waits on.

    So it is if the memory was moved, or if its message is deleted in Slack meanwhile.
    """
    place = app.slack.place()
    who = app.person(place)
    said = await app.ask(place, "I love sushi")
    await app.form(said)
    [sushi] = await app.memories(who)
    if also == "moved":
        await app.click(who, Move(key=sushi.key, to="public"))
    fresh = await app.ask(place, "I love natto")
    proposed = await asked_to_forget(app, place)
    later = await app.ask(place, "I love tempura")
    await app.click(who, proposed)
    if also == "deleted":
        await app.change(said, None)
    await app.end_undo(who)
    assert (app.turn(fresh)["question"], app.turn(fresh)["words"]) == ("", "")
    # Words that wait to be formed, and of which nothing was forgotten, still do.
    assert app.turn(later)["question"] == ""
    assert app.turn(later)["words"] == "I love tempura"
    assert naming(app.database, "sushi") == naming(app.database, "natto") == {}
    await app.form(fresh)
    assert await foods(app, who) == ["tempura"]


@pytest.mark.parametrize("by", ["message", "period", "period of the message"])
async def test_questions_go_with_what_they_quote(app: App, by: str) -> None:
    """The question that quotes what is forgotten goes; one of another time stays.

    So does what a later yes let count: it is shown with the day of its message.
    """
    place = app.slack.place()
    said = await app.ask(place, "I live in Osaka")
    await app.form(said)
    began = datetime.now(UTC)
    asked = await app.ask(place, "I live in Tokyo")
    await app.form(asked)
    [question] = await open_questions(app.pool, said.person)
    other = Forget(since=began - timedelta(days=2), until=began - timedelta(days=1))
    await app.click(said.person, other)
    assert [one.id for one in await open_questions(app.pool, said.person)] == [
        question.id
    ]
    meant = Forget(messages=((asked.channel_id, asked.ts),))
    since = datetime.fromtimestamp(float(asked.ts), UTC)
    if by == "period":
        meant = Forget(since=since, until=datetime.now(UTC))
    elif by == "period of the message":
        meant = Forget(since=since, until=since + timedelta(milliseconds=1))
        await app.click(said.person, Answer(question=question.id, answer="yes"))
    await app.click(said.person, meant)
    assert await open_questions(app.pool, said.person) == []
    facts = [one.content["fact"] for one in await app.memories(said.person)]
    assert facts == ["I live in Osaka"]


async def test_an_undo_leaves_what_was_said_differently_since(app: App) -> None:
    """What was said last counts, and its own Undo goes back to what was forgotten."""
    place = app.slack.place()
    said = await app.ask(place, "I love ramen")
    await app.form(said)
    await app.form(await app.ask(place, "I love sushi"))
    done = await app.click(said.person, Forget(everything=True))
    await app.form(await app.ask(place, "I dislike ramen"))
    app.take_jobs(FORM_MEMORIES)
    back = await app.click(said.person, done.undo)
    assert app.formations(said.person)
    assert back.line == say("en", "restored", what="2 memories")
    assert await open_questions(app.pool, said.person) == []
    levels = {
        one.content["food_name"]: one.content["preference"]
        for one in await app.memories(said.person)
    }
    assert levels["ramen"] < 50 < levels["sushi"]


async def test_what_an_undo_brings_back_is_embedded_where_nothing_is_formed(
    make_app: MakeApp,
) -> None:
    """A job embeds what the Undo itself does not; words that wait stay as they are."""
    app = await make_app(formation="off", formation_delay=0)
    place = app.slack.place()
    who = app.person(place)
    await app.add(who, "I live in Osaka")
    await app.ask(place, "I love natto")
    app.take_jobs(FORM_MEMORIES)
    done = await app.click(who, Forget(everything=True))
    await app.click(who, done.undo)
    app.rows("DELETE FROM store_vectors RETURNING key")
    [job] = app.take_jobs(FORM_MEMORIES)
    await form_memories(app.core, **job)
    assert len(app.rows("SELECT key FROM store_vectors")) == 1
    assert len(await app.memories(who)) == 1
