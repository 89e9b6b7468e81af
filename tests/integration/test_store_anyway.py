"""What a person asks to remember and a verdict refuses: the reason, and [Store Anyway]."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.locale import say
from bot.memories.person_data import erase_person
from bot.views.changes import ANSWER_ACTION, UNDO_CHANGE_ACTION
from bot.views.home_list import ListPosition
from bot.views.refusals import STORE_ACTION, QuotedSentence
from memory import Selection, forget
from tests.integration.app import App, MakeApp
from tests.integration.playground_slack import PersonThread
from tests.integration.responses_server import counted_tokens
from tests.integration.scripted_model import ScriptedModel
from tests.integration.test_own_commands import memories, value
from tests.integration.test_remember_this import changed, meanwhile, message

# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database

LEAVE = "Sarah is on leave"
RAINS = "It rains."
# How a verdict refuses, and what the person is told.
VERDICTS = [
    ({"supported": False}, "refused_not_said"),
    ({"about": "other"}, "refused_other_person"),
    ({"modality": "past"}, "refused_not_asserted"),
    ({"modality": "hypothetical"}, "refused_not_asserted"),
    ({"modality": "question"}, "refused_not_asserted"),
    ({"modality": "joke"}, "refused_not_asserted"),
    ({"modality": "request"}, "refused_not_asserted"),
    ({"valid_until": "2020-01-01"}, "refused_not_asserted"),
]


class Verified:
    """The app whose memory model answers what a test says, and whose settings it may choose."""

    def __init__(self, make_app: MakeApp, model: ScriptedModel) -> None:
        self._make_app = make_app
        self.model = model

    async def app(self, **settings: Any) -> App:
        """Wire the app; replies and embeddings are the stand-in's."""
        given = {"openai_base_url": self.model.base_url, "memory_model": "scripted", **settings}
        return await self._make_app(**given)

    def proposes(self, sentence: str, **verdict: Any) -> None:
        """Let one fact be proposed of a sentence, and judged in this way."""
        self.model.answer([("UserFact", {"fact": sentence, "evidence": sentence})])
        self.model.verdicts.append({0: verdict})


@pytest.fixture
async def verified(make_app: MakeApp, model: ScriptedModel) -> Verified:
    """The app with a memory model that says what a test says."""
    return Verified(make_app, model)


async def clicked(app: App, place: PersonThread, held: str) -> dict[str, Any]:
    """Click [Store Anyway] with the value it holds."""
    adding = app.wiring.slash_commands.adding
    return await adding.stored_anyway(app.person(place), "en", held)


async def pointed_at(app: App, place: PersonThread, text: str) -> dict[str, Any]:
    """Use Remember This on a message of a place."""
    adding = app.wiring.slash_commands.adding
    return await adding.pointed_at(
        app.person(place), "en", channel=place.channel, message=message(place, text)
    )


@pytest.mark.parametrize(("verdict", "key"), VERDICTS)
async def test_add_says_why_a_verdict_refuses(
    verified: Verified, verdict: dict[str, Any], key: str
) -> None:
    """`/memories add` stores nothing that a verdict refuses, says why, and offers to store it."""
    app = await verified.app()
    place = app.slack.place()
    verified.proposes(LEAVE, **verdict)
    answer = await memories(app, place, f"add {LEAVE}")
    assert answer["text"] == say("en", key, what=LEAVE)
    assert json.loads(value(answer, STORE_ACTION))["text"] == LEAVE
    assert await app.memories(app.person(place)) == []


async def test_add_takes_fifty_lines(verified: Verified) -> None:
    """Each line is formed and judged like a message; one notice undoes all, and says what is left.

    Some are proposed by the model, the last ones are not and stored as typed.
    """
    app = await verified.app()
    place = app.slack.place()
    facts = [f"I own book number {number}" for number in range(48)]
    lines = [*facts[:10], LEAVE, *facts[10:], "My password is hunter2hunter2"]
    fit = lines[:-1]
    for begin, end in ((0, 20), (20, 40), (40, 45)):
        some = [("UserFact", {"fact": one, "evidence": one}) for one in fit[begin:end]]
        verified.model.answer(some)
        verified.model.verdicts.append({10: {"about": "other"}} if begin == 0 else {})
    answer = await memories(app, place, "add\n- " + "\n- ".join(lines))
    assert len(verified.model.verdict_requests) == 3
    stored = await app.memories(app.person(place))
    assert sorted(one.content["fact"] for one in stored) == sorted(facts)
    assert {one["kind"] for memory in stored for one in memory.sources} == {"command"}
    assert say("en", "notice_remembered", count=48) in answer["text"]
    shown = json.dumps(answer["blocks"], ensure_ascii=False)
    assert say("en", "add_left_out", count=2) in shown
    assert say("en", "refused_other_person", what=LEAVE) in shown
    assert say("en", "add_refused_secret", what="a password") in shown
    assert "hunter2" not in shown
    assert len(answer["blocks"]) <= 50
    await app.wiring.modals.changes.undone(
        app.person(place), "en", value(answer, UNDO_CHANGE_ACTION)
    )
    assert await app.memories(app.person(place)) == []
    refused = await memories(app, place, "add " + "\n".join(f"thing {n}" for n in range(51)))
    assert refused["text"] == say("en", "add_too_many", limit=50)
    assert await app.memories(app.person(place)) == []


async def test_what_was_refused_is_stored_by_a_click(verified: Verified) -> None:
    """The click stores the sentence as a fact, shows it with Undo, and twice is once."""
    app = await verified.app()
    place = app.slack.place()
    verified.proposes(LEAVE, about="other")
    held = value(await memories(app, place, f"add {LEAVE}"), STORE_ACTION)
    asked = len(verified.model.verdict_requests)
    stored = await clicked(app, place, held)
    assert stored["text"] == f"Remembered: {LEAVE}"
    assert "undo_change" in json.dumps(stored)
    assert "replace_original" not in stored
    assert len(verified.model.verdict_requests) == asked
    [memory] = await app.memories(app.person(place))
    assert (memory.kind, memory.content["fact"]) == ("UserFact", LEAVE)
    assert memory.namespace.audience == "dm"
    assert [(one["kind"], one["evidence"]) for one in memory.sources] == [("command", LEAVE)]
    assert memory.source_messages == []
    assert (await clicked(app, place, held))["text"] == say("en", "add_known")
    assert len(await app.memories(app.person(place))) == 1


async def test_remember_this_stores_the_refused_sentence_alone(verified: Verified) -> None:
    """It is stored where it was said, quotes its message, and follows it."""
    app = await verified.app()
    text = f"{LEAVE}. {RAINS}"
    place = app.slack.place(channel="private", text=text)
    verified.proposes(LEAVE, about="other")
    refused = await pointed_at(app, place, text)
    assert refused["text"] == say("en", "refused_other_person", what=f"{LEAVE}.")
    await clicked(app, place, value(refused, STORE_ACTION))
    [memory] = await app.memories(app.person(place))
    assert memory.content["fact"] == f"{LEAVE}."
    assert memory.namespace.audience == place.channel
    assert memory.source_messages == [(place.channel, place.ts)]
    assert memory.sources[0]["kind"] == "command"
    await changed(app, place, "edit", text=RAINS)
    assert await app.memories(app.person(place)) == []


async def test_a_refused_sentence_of_a_private_channel_stays_there(verified: Verified) -> None:
    """Stored after the channel has become public, it is remembered for the channel alone."""
    app = await verified.app()
    place = app.slack.place(channel="private", text=LEAVE)
    verified.proposes(LEAVE, about="other")
    held = value(await pointed_at(app, place, LEAVE), STORE_ACTION)
    app.slack.control("channels/update", {"channel": place.channel, "private": False})
    audiences = app.wiring.turn_dependencies.audiences
    await audiences.invalidate(app.slack.team_id, place.channel)
    await clicked(app, place, held)
    [memory] = await app.memories(app.person(place))
    assert memory.namespace.audience == place.channel


async def test_a_tool_that_is_refused_shows_the_person_the_reason(verified: Verified) -> None:
    """After the reply to "remember that …" the person alone gets the reason and the button."""
    app = await verified.app(reply_model="kioku-stand-in")
    place = app.slack.place(channel="public")
    verified.model.verdicts.append({0: {"about": "other"}})
    content = {"kind": "UserFact", "fact": LEAVE}
    app.script_calls(
        ("memory_change", {"action": "create", "evidence": LEAVE, "content": content}),
        text="I did not store that.",
    )
    said = await app.ask(place, f"<@{app.slack.bot_user_id}> remember that {LEAVE}")
    [output] = app.outputs()
    assert (output["done"], output["refused"]) == (False, "other_person")
    [shown] = [one for one in app.shown(said) if STORE_ACTION in json.dumps(one)]
    assert shown["is_ephemeral"]
    sentence = f"remember that {LEAVE}"
    assert shown["text"] == say("en", "refused_other_person", what=sentence)
    held = value(shown, STORE_ACTION)
    assert json.loads(held) == {"text": sentence, "channel": said.channel_id, "ts": said.ts}
    assert "Remembered: " in (await clicked(app, place, held))["text"]
    [memory] = await app.memories(app.person(place))
    assert memory.namespace.audience == "public"
    assert memory.source_messages == [(said.channel_id, said.ts)]


@pytest.mark.parametrize(
    "proposal",
    [
        [],
        [("UserFact", {"fact": "Bob is here", "evidence": "Bob is here"})],
        [("UserFact", {"fact": "see https://a.example/b", "evidence": LEAVE})],
        [("UserPet", {"name": "Rex", "evidence": LEAVE})],
    ],
    ids=["nothing", "not_quoted", "link", "kind"],
)
async def test_what_no_verdict_refused_is_stored_as_typed(
    verified: Verified, proposal: list[Any]
) -> None:
    """Where nothing usable is proposed of a command, its words are the evidence themselves."""
    app = await verified.app()
    place = app.slack.place()
    verified.model.answer(proposal)
    assert (await memories(app, place, f"add {LEAVE}"))["text"] == f"Remembered: {LEAVE}"


async def test_add_waits_for_no_slow_model(
    verified: Verified, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the deadline the words are stored as typed; of a message they are formed only once."""
    app = await verified.app()
    monkeypatch.setattr("bot.memories.statement_formation._DEADLINE", 0.2)
    verified.model.verdict_delay = 1.0
    place = app.slack.place()
    verified.proposes(LEAVE, about="other")
    assert (await memories(app, place, f"add {LEAVE}"))["text"] == f"Remembered: {LEAVE}"
    other = app.slack.place()
    said = await app.ask(other, "I am vegan")
    here = PersonThread(other.user, other.team, other.channel, said.ts, said.thread_ts)
    verified.proposes("I am vegan", about="other")
    assert (await pointed_at(app, here, "I am vegan"))["text"] == "Remembered: I am vegan"
    assert app.turn(said)["formed_at"] is not None


@pytest.mark.parametrize("status", [429, 503])
async def test_add_stores_as_typed_while_no_model_judges(verified: Verified, status: int) -> None:
    """A verdict that cannot be had refuses nothing."""
    app = await verified.app()
    place = app.slack.place()
    verified.model.answer([("UserFact", {"fact": LEAVE, "evidence": LEAVE})])
    verified.model.verdicts.append(status)
    assert (await memories(app, place, f"add {LEAVE}"))["text"] == f"Remembered: {LEAVE}"


async def test_credentials_are_never_stored(verified: Verified) -> None:
    """Neither a slow model nor the button lets a password through."""
    app = await verified.app()
    place = app.slack.place()
    verified.model.answer(500)
    secret = "My password is hunter2hunter2"
    told = say("en", "add_refused_secret", what="a password")
    assert (await memories(app, place, f"add {secret}"))["text"] == told
    for channel, ts in ((place.channel, ""), (place.channel, place.ts)):
        held = QuotedSentence(text=secret, channel=channel, ts=ts).value
        answer = await clicked(app, place, held)
        assert (answer["text"], answer["replace_original"]) == (told, False)
    assert await app.memories(app.person(place)) == []


async def test_the_button_does_nothing_while_memory_is_off(verified: Verified) -> None:
    """In a pause, and of what was forgotten since, nothing is stored; the button stays."""
    app = await verified.app()
    place = app.slack.place()
    who, controls = app.person(place), app.wiring.controls
    earlier = f"{float(place.ts) - 60:.6f}"
    held = QuotedSentence(text=LEAVE, channel=place.channel, ts=earlier).value
    await controls.pause(who, None)
    paused = await clicked(app, place, held)
    assert "paused" in paused["text"]
    assert paused["replace_original"] is False
    await controls.resume(who)
    assert "Remembered" in (await clicked(app, place, held))["text"]
    await forget(app.pool, who, Selection(everything=True))
    assert (await clicked(app, place, held))["text"] == say("en", "remember_forgotten")
    assert await app.memories(who) == []


async def test_where_facts_are_no_kind_nothing_is_offered(verified: Verified) -> None:
    """Without UserFact among the kinds the reason has no button, and a button stores nothing."""
    app = await verified.app(schemas="UserFoodPreference")
    place = app.slack.place()
    verified.model.answer([("UserFoodPreference", {"food_name": "ramen", "evidence": "ramen"})])
    verified.model.verdicts.append({0: {"modality": "joke"}})
    answer = await memories(app, place, "add ramen")
    assert answer["text"] == say("en", "refused_not_asserted", what="ramen")
    assert STORE_ACTION not in json.dumps(answer)
    held = QuotedSentence(text="ramen", channel=place.channel).value
    assert (await clicked(app, place, held))["text"] == say("en", "add_nothing")


async def test_the_tokens_of_a_run_that_ends_early_are_counted(
    verified: Verified, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was used before a verdict failed, or before memory was found off, is counted."""
    app = await verified.app()
    verified.model.usage = 100
    verified.model.answer([("UserFact", {"fact": LEAVE, "evidence": LEAVE})])
    verified.model.verdicts.append(503)
    with counted_tokens() as spent:
        assert "Remembered" in (await memories(app, app.slack.place(), f"add {LEAVE}"))["text"]
    assert spent.total() == 100
    place = app.slack.place()
    who = app.person(place)
    verified.proposes(LEAVE)
    meanwhile(app, monkeypatch, lambda: app.wiring.controls.pause(who, None))
    with counted_tokens() as spent:
        assert (await memories(app, place, f"add {LEAVE}"))["text"] == say("en", "off_refused")
    assert spent.total() == 200
    assert await app.memories(who) == []


async def test_what_is_added_while_its_person_is_erased_is_not_stored(
    verified: Verified, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by `/memories add` nor by the button, though Slack has said who they are since."""
    app = await verified.app()
    for by_button in (False, True):
        place = app.slack.place()
        who = app.person(place)

        async def erased() -> None:
            await erase_person(app.pool, who)  # noqa: B023 - awaited in this round
            app.wiring.profiles.invalidate(who)  # noqa: B023 - as above
            await app.wiring.profiles.settings(who)  # noqa: B023 - as above

        with monkeypatch.context() as patch:
            meanwhile(app, patch, erased)
            if by_button:
                held = QuotedSentence(text=LEAVE, channel=place.channel, ts="").value
                answer = await clicked(app, place, held)
            else:
                verified.proposes(LEAVE)
                answer = await memories(app, place, f"add {LEAVE}")
        assert answer["text"] == say("en", "off_refused")
        assert await app.memories(who) == []


async def test_what_is_forgotten_meanwhile_is_not_stored(
    verified: Verified, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by the button nor by Remember This, also where no model judges in time."""
    app = await verified.app()
    for stored_by, late in ((clicked, False), (pointed_at, False), (pointed_at, True)):
        other = app.slack.place()
        said = await app.ask(other, LEAVE)
        place = PersonThread(other.user, other.team, other.channel, said.ts, said.thread_ts)
        held = QuotedSentence(text=LEAVE, channel=place.channel, ts=said.ts).value
        if late:
            verified.model.answer(500)
        elif stored_by is pointed_at:
            verified.proposes(LEAVE)
        actions = app.wiring.memory_actions
        with monkeypatch.context() as patch:
            meanwhile(app, patch, lambda: actions.everything_forgotten(said.person, "en"))  # noqa: B023
            answer = await stored_by(app, place, held if stored_by is clicked else LEAVE)
        assert answer["text"] == say("en", "remember_forgotten")
        assert await app.memories(said.person) == []


@pytest.mark.parametrize(
    ("settings", "stored"),
    [({"sensitive": "never"}, False), ({"sensitive": "store"}, True)],
)
async def test_the_settings_reach_the_verdicts(
    verified: Verified, settings: dict[str, Any], stored: bool
) -> None:
    """KIOKU_SENSITIVE says what becomes of sensitive matters."""
    app = await verified.app(**settings)
    place = app.slack.place(channel="private")
    verified.proposes("I have asthma", sensitive="health")
    answer = await memories(app, place, "add I have asthma")
    assert bool(await app.memories(app.person(place))) is stored
    if not stored:
        assert answer["text"] == say("en", "refused_sensitive", what="I have asthma")


async def test_the_person_is_asked_about_sensitive_matters(verified: Verified) -> None:
    """With KIOKU_SENSITIVE=ask it is a question; Remember stores it, and it is no news twice."""
    app = await verified.app(sensitive="ask")
    place = app.slack.place()
    who = app.person(place)
    verified.proposes("I have asthma", sensitive="health")
    answer = await memories(app, place, "add I have asthma")
    assert answer["text"] == say("en", "ask_store_line", what="I have asthma")
    assert await app.memories(who) == []
    await app.wiring.home_publisher.show(who, ListPosition())
    [home] = app.slack.calls("views.publish")
    assert "May I remember this?" in json.dumps(home)
    changes = app.wiring.modals.changes
    assert "asthma" in json.dumps(await changes.page(who, "en", "-"))
    question, chosen, *_ = value(answer, f"{ANSWER_ACTION}_yes").split()
    assert isinstance(await changes.answer(who, question, chosen, "history -"), list)
    [memory] = await app.memories(who)
    assert memory.content["fact"] == "I have asthma"
    page = await changes.page(who, "en", "-")
    assert "I have asthma" in page["text"]
