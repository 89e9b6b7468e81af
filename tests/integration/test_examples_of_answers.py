"""Examples: requests whose answer was good, kept by a click, and shown for similar ones."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from typing import Any

import pytest

from bot.locale import LANGUAGES, Language, say
from bot.memories.feedback import Feedback
from bot.memories.person_data import export_person
from bot.slack.messages import Message
from bot.views.examples import example_errors, example_form
from bot.views.modal_triggers import EXAMPLE_ACTION
from memory import PUBLIC, Memory, MemoryView, Person, source_deleted
from playground.blocks import view_errors
from tests.integration.app import App, eventually, receiving
from tests.integration.messages import says
from tests.integration.modal_user import ModalUser
from tests.integration.playground_slack import PersonThread

# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database

REQUEST = "How do I roll back a deploy?"
REQUESTS: dict[Language, str] = {"en": REQUEST, "ja": "デプロイを元に戻すには？"}
LIKED = "Short, with the command first"


@pytest.fixture
def feedback(app: App) -> Feedback:
    """What is tested."""
    return app.wiring.modals.feedback


async def rated(app: App, asked: Message, rating: str = "good") -> dict[str, Any]:
    """Rate the answer to a message; return what the person is told."""
    value = f"{rating} {app.turn(asked)['id']}"
    return await app.wiring.modals.feedback.clicked(asked.person, "en", value)


def offers(payload: dict[str, Any]) -> bool:
    """Say whether a message has the button that opens the form."""
    return EXAMPLE_ACTION in json.dumps(payload)


async def thanked(app: App, asked: Message) -> dict[str, Any]:
    """Wait for the message that offers the example, below the answer."""

    async def offered() -> dict[str, Any] | None:
        newest = (await asyncio.to_thread(app.shown, asked))[-1]
        return newest if offers(newest) else None

    return await eventually(offered)


async def open_form(user: ModalUser, place: PersonThread, asked: Message) -> dict[str, Any]:
    """Let a person rate an answer as good and click on the offer; return the offer."""
    reply = user.app.shown(asked)[-1]
    [block] = [one for one in reply["blocks"] if one["type"] == "context_actions"]
    click = {"user": place.user, "channel": place.channel}
    rating = {"message_ts": reply["ts"], "block_id": block["block_id"], "value": "positive"}
    assert (await user.control("actions", {**click, **rating, "action_id": "feedback"}))["ok"]
    offer = await thanked(user.app, asked)
    click |= {"message_ts": offer["ts"], "block_id": offer["blocks"][-1]["block_id"]}
    assert (await user.control("actions", {**click, "action_id": EXAMPLE_ACTION}))["ok"]
    return offer


def filled(turn: str, liked: str = LIKED, language: Language = "en") -> dict[str, Any]:
    """Return a submitted form."""
    view = example_form(language, turn, REQUEST)
    return {**view, "state": {"values": {"liked": {"value": {"value": liked}}}}}


async def keep(app: App, place: PersonThread, text: str, liked: str = LIKED) -> Memory:
    """Ask, rate the answer as good, and keep it as an example; return what is stored."""
    asked = await app.ask(place, text)
    assert offers(await rated(app, asked))
    before = {one.key for one in await app.memories(asked.person)}
    turn = str(app.turn(asked)["id"])
    await app.wiring.modals.feedback.example_saved(asked.person, "en", filled(turn, liked))
    [memory] = [one for one in await app.memories(asked.person) if one.key not in before]
    return memory


def episodes(app: App) -> list[dict[str, Any]]:
    """Return the contents in the frame of episodes of the newest prompt."""
    lines = re.findall(r"<episodes>\n(.*?)\n</episodes>", app.context(), re.S)
    return [json.loads(line)["content"] for one in lines for line in one.split("\n")]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_request_becomes_an_example_when_the_form_is_submitted(
    app: App, language: Language
) -> None:
    """Rated, offered, filled in: only then it is stored, with its message; Undo takes it away."""
    ann = ModalUser(app, language)
    place = replace(app.slack.place(channel="public"), user=ann.person.user_id)
    channel = place.channel
    app.slack.control("channels/update", {"channel": channel, "add": [place.user]})
    asked = await app.ask(place, f"<@{app.slack.bot_user_id}> {REQUESTS[language]}")
    async with receiving(app):
        thanks = await open_form(ann, place, asked)
        assert thanks["is_ephemeral"]
        assert thanks["text"] == say(language, "feedback_thanks")
        button = thanks["blocks"][-1]["elements"][0]
        assert button["text"]["text"] == say(language, "example_button")
        form = await ann.modal("example_about")
        assert form["title"]["text"] == say(language, "example_title")
        assert REQUESTS[language] in json.dumps(form, ensure_ascii=False)
        assert await app.memories(ann.person) == []
        await ann.submit(form, liked=f" {LIKED} ")
        line = f"{REQUESTS[language]} → {LIKED}"
        done = await ann.modal("change_remembered", what=line)
        [memory] = await app.memories(ann.person)
        assert memory.is_example
        assert (memory.kind, memory.namespace.audience) == ("Episode", PUBLIC)
        assert memory.content == {
            "observation": REQUESTS[language],
            "action": None,
            "result": LIKED,
        }
        [source] = memory.sources
        assert (source["channel"], source["ts"]) == (channel, asked.ts)
        assert source["evidence"] == REQUESTS[language]
        edit = await app.wiring.modals.editing.form(ann.person, language, memory.reference)
        labels = [one["label"]["text"] for one in edit["blocks"]]
        assert labels == [say(language, "field_request"), say(language, "field_liked")]
        await ann.click(done, "undo_change")
        await ann.modal("change_undone", line=say(language, "change_remembered", what=line))
    assert await app.memories(ann.person) == []


async def test_somebody_of_another_organisation_submits_a_form(app: App) -> None:
    """In a shared channel Slack names their own workspace: what counts is where the app is."""
    bob = ModalUser(app, external=True)
    place = replace(app.slack.place(channel="connect"), user=bob.person.user_id, team=bob.team)
    app.slack.control("channels/update", {"channel": place.channel, "add": [place.user]})
    asked = await app.ask(place, f"<@{app.slack.bot_user_id}> {REQUEST}")
    async with receiving(app):
        await open_form(bob, place, asked)
        await bob.submit(await bob.modal("example_about"), liked=LIKED)
        done = await bob.modal("change_remembered", what=f"{REQUEST} → {LIKED}")
        [memory] = await app.memories(bob.person)
        assert memory.namespace.audience == place.channel
        await bob.click(done, "undo_change")
        line = say("en", "change_remembered", what=f"{REQUEST} → {LIKED}")
        await bob.modal("change_undone", line=line)
    assert await app.memories(bob.person) == []


async def test_an_example_of_a_private_request_stays_private(app: App) -> None:
    """What was asked in a private channel that is public by now is shown nowhere else."""
    place = app.slack.place(channel="private")
    asked = await app.ask(place, REQUEST)
    assert offers(await rated(app, asked))
    app.slack.control("channels/update", {"channel": place.channel, "private": False})
    await app.wiring.turn_dependencies.audiences.invalidate(asked.team_id, place.channel)
    turn = str(app.turn(asked)["id"])
    await app.wiring.modals.feedback.example_saved(asked.person, "en", filled(turn))
    [memory] = await app.memories(asked.person)
    assert memory.namespace.audience == place.channel


async def test_nobody_else_keeps_it(app: App, feedback: Feedback) -> None:
    """Another person's click opens no form and stores nothing, also with a forged submission."""
    asked = await app.ask(app.slack.place(), REQUEST)
    turn = str(app.turn(asked)["id"])
    other = Person(asked.team_id, app.slack.person()[0])
    assert not offers(await app.wiring.modals.feedback.clicked(other, "en", f"good {turn}"))
    for _ in range(2):
        for view in (
            await feedback.example_form(other, "en", turn),
            await feedback.example_saved(other, "en", filled(turn)),
        ):
            assert says(view, "example_gone")
        assert await app.memories(other) == await app.memories(asked.person) == []
        await rated(app, asked)  # the second time its own person has found it good


async def test_only_a_good_answer_is_offered(app: App, feedback: Feedback) -> None:
    """A bad rating, or one that has become bad, offers nothing and stores nothing."""
    asked = await app.ask(app.slack.place(), REQUEST)
    turn = str(app.turn(asked)["id"])
    assert offers(await rated(app, asked))
    assert not offers(await rated(app, asked, "bad"))
    view = await feedback.example_saved(asked.person, "en", filled(turn))
    assert says(view, "example_gone")
    assert await app.memories(asked.person) == []


async def test_what_is_not_to_be_remembered_is_no_example(app: App, feedback: Feedback) -> None:
    """Neither while memory is off, nor off the record, nor forgotten, nor with a credential."""
    place = app.slack.place()
    asked = await app.ask(place, REQUEST)
    person, turn = asked.person, str(app.turn(asked)["id"])
    assert offers(await rated(app, asked))
    await app.wiring.controls.pause(person)
    assert not offers(await rated(app, asked))
    for view in (
        await feedback.example_form(person, "en", turn),
        await feedback.example_saved(person, "en", filled(turn)),
    ):
        assert says(view, "off_paused")
    await app.wiring.controls.resume(person)
    assert offers(await rated(app, asked))
    for change in ("off_record = true", "words = ''"):
        app.rows(f"UPDATE turns SET {change} WHERE id = %s RETURNING id", turn)
        assert not offers(await rated(app, asked))
        restored = "off_record = false, words = question"
        app.rows(f"UPDATE turns SET {restored} WHERE id = %s RETURNING id", turn)
    app.rows(
        "INSERT INTO forgotten_sources (forgotten_id, team_id, user_id, channel, ts)"
        " VALUES (gen_random_uuid(), %s, %s, %s, %s)"
        " RETURNING ts",
        *(person.team_id, person.user_id, asked.channel_id, asked.ts),
    )
    view = await feedback.example_saved(person, "en", filled(turn))
    assert says(view, "example_gone")
    secret = await app.ask(
        place, "How do I change my password hunter2-Xy77? password: hunter2-Xy77"
    )
    assert app.turn(secret)["left_out"]
    assert not offers(await rated(app, secret))
    assert await app.memories(person) == []


async def test_what_is_forgotten_meanwhile_is_not_kept(
    app: App, feedback: Feedback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is forgotten, or said while memory is switched off, after the check is not stored."""
    view_of = feedback.audiences.view_of
    for ended in (
        lambda person: app.wiring.memory_actions.everything_forgotten(person, "en"),
        lambda person: app.wiring.controls.pause(person, None),
    ):
        asked = await app.ask(app.slack.place(), REQUEST)
        assert offers(await rated(app, asked))

        async def looked_up(person: Person, *message: Any) -> MemoryView:
            found = await view_of(person, *message)
            await ended(person)  # noqa: B023 - awaited in this round
            return found

        with monkeypatch.context() as patch:
            patch.setattr(feedback.audiences, "view_of", looked_up)
            view = await feedback.example_saved(
                asked.person, "en", filled(str(app.turn(asked)["id"]))
            )
        assert says(view, "example_gone")
        assert await app.memories(asked.person) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_form_says_what_is_wrong(language: Language) -> None:
    """Slack takes the form with the longest request; nothing and credentials are refused."""
    assert view_errors(example_form(language, "t", "長い\n質問" * 60)) == []
    assert example_errors(filled("t", language=language)) == {}
    missing = say(language, "form_missing")
    assert example_errors(filled("t", "  ", language=language)) == {"liked": missing}
    [problem] = example_errors(
        filled("t", "my password is hunter2-Xy77", language=language)
    ).values()
    assert problem != missing


async def test_the_two_most_similar_examples_are_in_the_prompt(app: App) -> None:
    """Of four the two nearest to the question, the nearest first; with two, nothing is embedded."""
    place = app.slack.place()
    liked = {
        REQUEST: LIKED,
        "How do I roll back a database migration?": "a warning first",
        "Which ramen shop is open on Sunday?": "one name only",
        "Please translate this sentence into French": "no explanation",
    }
    for number, (request, reason) in enumerate(liked.items()):
        await keep(app, place, request, reason)
        if number == 1:
            app.stand_in.call("/_model/journal", method="DELETE")
            await app.ask(place, "What is new?")
            journal = app.stand_in.call("/_model/journal")["entries"]
            assert [one for one in journal if one["endpoint"] == "embeddings"] == []
            assert {one["result"] for one in episodes(app)} == {LIKED, "a warning first"}
    told = "Our deploys failed every Friday, so we tried smaller releases and it fixed them"
    await app.form(await app.ask(place, told))
    await app.ask(place, "How do I roll back a deploy today?")
    shown = [one["result"] for one in episodes(app)]
    assert [one for one in shown if one in liked.values()] == [LIKED, "a warning first"]
    assert len(shown) == 3  # an experience that was told is not one of the two
    await app.ask(place, "Which ramen shop is open now?")
    assert "one name only" in [one["result"] for one in episodes(app)]
    # Without embeddings the newest ones.
    app.stand_in.call("/_model/faults", {"endpoint": "embeddings", "status": 500, "times": -1})
    await app.ask(place, "And which soba shop?")
    shown = [one["result"] for one in episodes(app) if one["result"] in liked.values()]
    assert shown == ["no explanation", "one name only"]
    app.stand_in.call("/_model/faults", method="DELETE")


async def test_an_example_stays_in_its_audience(app: App) -> None:
    """One of a direct message is in view there and in no channel; nor for anybody else."""
    place = app.slack.place()
    await keep(app, place, REQUEST)
    await app.ask(place, REQUEST)
    assert [one["result"] for one in episodes(app)] == [LIKED]
    public = app.slack.place(channel="public")
    app.slack.control("channels/update", {"channel": public.channel, "add": [place.user]})
    await app.ask(replace(public, user=place.user), f"<@{app.slack.bot_user_id}> {REQUEST}")
    assert episodes(app) == []
    await app.ask(app.slack.place(), REQUEST)
    assert episodes(app) == []


async def test_it_goes_with_its_message(app: App) -> None:
    """An edit that keeps the words keeps it; deleting or forgetting the message takes it away."""
    place = app.slack.place()
    memory = await keep(app, place, REQUEST)
    [(channel, ts)] = memory.source_messages
    person = memory.namespace.person
    await source_deleted(app.pool, app.embedder, person, channel, ts)
    assert await app.memories(person) == []
    await app.ask(place, REQUEST)
    assert episodes(app) == []
    await keep(app, place, REQUEST)
    await app.wiring.memory_actions.everything_forgotten(person, "en")
    assert await app.memories(person) == []


async def test_it_is_exported_as_an_example(app: App) -> None:
    """The document says that it comes from a rating."""
    place = app.slack.place()
    memory = await keep(app, place, REQUEST)
    person = memory.namespace.person
    document = await export_person(app.pool, person, app.wiring.connections.settings)
    [entry] = document["memories"]
    assert entry["sources"][0]["kind"] == "feedback"
