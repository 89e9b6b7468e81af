"""What a person adds or points at: formed at once, refused with a reason, stored as typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from bot.acts import kinds as acts
from bot.acts.kinds import ButtonAct, Edit, Forget, Open, Remember
from bot.data.person import erase_person
from bot.locale import say
from bot.off.switches import turn_off, turn_on
from memory import DM, Person, open_questions
from memory.store import MAX_MEMORIES
from tests.integration.app import App, MakeApp
from tests.integration.interface import Answer
from tests.integration.messages import says
from tests.integration.playground_slack import PersonThread
from tests.integration.scripted_model import ScriptedModel
from tests.integration.test_remember_this import meanwhile

LEAVE = "Sarah is on leave"
# How a verdict refuses, and what the person is told.
VERDICTS = [
    ({"supported": False}, "refused_unsupported"),
    ({"about": "other"}, "refused_other_person"),
    ({"modality": "past"}, "refused_not_asserted"),
]


class Verified:
    """The app whose memory model answers what a test says, and whose settings it may choose."""

    def __init__(self, make_app: MakeApp, model: ScriptedModel) -> None:
        self._make_app = make_app
        self.model = model

    async def app(self, **settings: Any) -> App:
        """Wire the app; replies and embeddings are the stand-in's."""
        given = {
            "openai_base_url": self.model.base_url,
            "memory_model": "scripted",
            **settings,
        }
        return await self._make_app(**given)

    def proposes(self, sentence: str, **verdict: Any) -> None:
        """Let one fact be proposed of a sentence, and judged in this way."""
        self.model.answer([("UserFact", {"fact": sentence, "evidence": sentence})])
        self.model.verdicts.append({0: verdict})


@pytest.fixture
async def verified(make_app: MakeApp, model: ScriptedModel) -> Verified:
    """The app with a memory model that says what a test says."""
    return Verified(make_app, model)


def yes(done: Answer) -> ButtonAct:
    """Return the button below a question that says yes."""
    [found] = [
        one for one in done.acts if isinstance(one, acts.Answer) and one.answer == "yes"
    ]
    return found


async def facts(app: App, who: Person) -> list[str]:
    """Return the facts that are remembered of a person."""
    return sorted(str(one.content.get("fact")) for one in await app.memories(who))


async def test_a_line_is_formed_at_once(app: App) -> None:
    """It is its own evidence, and no news a second time."""
    who = app.person(app.slack.place())
    done = await app.add(who, "I love ramen")
    assert done.line == "Remembered: Likes ramen very much"
    assert (await app.add(who, "I love ramen")).line == say("en", "add_known")
    [memory] = await app.memories(who)
    assert (memory.kind, memory.audience) == ("UserFoodPreference", DM)
    [source] = memory.sources
    assert (source["actor"], source["evidence"]) == ("command", "I love ramen")
    assert memory.source_messages == []


@pytest.mark.parametrize(
    "text", ["\x01", "\u2060", f"The code of the depot is {'7 ' * 1_000}"]
)
async def test_what_cannot_be_stored_is_said(app: App, text: str) -> None:
    """Words without a letter, or too many, are a sentence and no row."""
    who = app.person(app.slack.place())
    done = await app.add(who, text)
    assert (done.undo, done.line == say("en", "add_known")) == (None, False)
    assert await app.memories(who) == []


async def test_a_person_with_five_thousand_memories_is_told_so(app: App) -> None:
    """Nothing new is stored and nothing is deleted; what is taken back makes room."""
    place = app.slack.place()
    who = app.person(place)
    await app.add(who, "I love ramen")
    app.rows(
        "INSERT INTO store (prefix, key, value, updated_at) SELECT %s, 'k' || n,"
        " jsonb_build_object('kind', 'UserFact', 'content', jsonb_build_object('fact',"
        " 'thing ' || n), 'sources', '[]'::jsonb), now() - interval '1 day'"
        " FROM generate_series(1, 4999) AS n RETURNING key",
        who.namespace("dm").prefix,
    )
    full = say("en", "refused_full", limit=MAX_MEMORIES)
    for text in ("I love sushi", "My badge number ends in 7"):
        assert full in (await app.add(who, text)).line
    create = {"action": "create", "evidence": "I love natto"}
    content = {"kind": "UserFoodPreference", "food_name": "natto", "preference": 90}
    app.script_calls(("memory_change", {**create, "content": content}))
    asked = await app.ask(place, "Remember that I love natto")
    assert says(app.shown(asked), "refused_full", limit=MAX_MEMORIES)
    assert len(await app.memories(who)) == MAX_MEMORIES
    said = await app.ask(place, "I don't like ramen any more. I love udon.")
    assert "udon" not in str(await app.form(said))
    assert len(await app.memories(who)) == MAX_MEMORIES - 1
    assert "sushi" in (await app.add(who, "I love sushi")).line
    assert full in (await app.add(who, "I love udon")).line


@pytest.mark.parametrize(("verdict", "key"), VERDICTS, ids=str)
async def test_a_refusal_is_said_with_its_reason(
    verified: Verified, verdict: dict[str, Any], key: str
) -> None:
    """What a verdict refuses is not stored; one button stores it as it was typed."""
    app = await verified.app()
    who = app.person(app.slack.place())
    verified.proposes(LEAVE, **verdict)
    done = await app.add(who, LEAVE)
    assert done.line == say("en", key, what=LEAVE)
    assert done.acts == [Remember(text=LEAVE)]
    assert await app.memories(who) == []


async def test_a_person_who_asks_why_is_told_what_was_not_remembered(
    verified: Verified,
) -> None:
    """`/memories why` opens the panel with the reasons of the last day."""
    app = await verified.app()
    place = app.slack.place()
    who = app.person(place)
    verified.proposes(LEAVE, about="other")
    await app.form(await app.ask(place, LEAVE))
    told = await app.interface.type_command(who, place.channel, "/memories", "why")
    assert says(told.form, "refused_other_person", what=LEAVE)
    await app.click(who, Remember(text=LEAVE))
    told = await app.interface.type_command(who, place.channel, "/memories", "why")
    assert not says(told.form, "refused_other_person", what=LEAVE)
    assert not says(told.form, "not_remembered_title")


async def test_many_lines_are_one_notice(verified: Verified) -> None:
    """Each is formed and judged like a message; one Undo takes all of them back.

    Some are proposed by the model, the last ones are not and stored as typed.
    """
    app = await verified.app()
    who = app.person(app.slack.place())
    books = [f"I own book number {number:02}" for number in range(19)]
    lines = [*books[:10], LEAVE, *books[10:]]
    some = [("UserFact", {"fact": one, "evidence": one}) for one in lines[:15]]
    verified.model.answer(some)
    verified.model.verdicts.append({10: {"about": "other"}})
    done = await app.add(who, *lines)
    assert len(verified.model.verdict_requests) == 1
    assert await facts(app, who) == sorted(books)
    assert say("en", "change_remembered", what=books[4]) in done.line
    assert say("en", "forget_more", count=14) in done.line
    assert say("en", "refused_other_person", what=LEAVE) in done.line
    assert done.undo
    await app.click(who, done.undo)
    assert await app.memories(who) == []


async def test_a_refusal_is_said_beside_a_line_that_no_kind_fits(
    verified: Verified,
) -> None:
    """Without the kind of facts a line cannot be stored as typed; the others have their reasons."""
    app = await verified.app(schemas="UserFoodPreference")
    who = app.person(app.slack.place())
    lines = ["I love ramen", "Bob hates ramen", "It is late"]
    foods = [
        ("UserFoodPreference", {"food_name": name, "preference": 90, "evidence": one})
        for name, one in zip(["ramen", "noodles"], lines, strict=False)
    ]
    verified.model.answer(foods)
    verified.model.verdicts.append({1: {"about": "other"}})
    done = await app.add(who, *lines)
    assert done.line.splitlines() == [
        "Remembered: Likes ramen very much",
        say("en", "refused_other_person", what=lines[1]),
        say("en", "form_invalid"),
    ]


@pytest.mark.parametrize(
    "proposal",
    [
        [],
        [("UserFact", {"fact": "Bob is here", "evidence": "Bob is here"})],
    ],
    ids=["nothing", "not_quoted"],
)
async def test_what_no_verdict_refused_is_stored_as_typed(
    verified: Verified, proposal: list[Any]
) -> None:
    """Where nothing usable is proposed of a line, its words are the evidence themselves."""
    app = await verified.app()
    verified.model.answer(proposal)
    done = await app.add(app.person(app.slack.place()), LEAVE)
    assert done.line == f"Remembered: {LEAVE}"


async def test_a_line_is_stored_as_typed_while_no_model_judges(
    verified: Verified,
) -> None:
    """A verdict that cannot be had refuses nothing; a fact that is edited is the words, too."""
    app = await verified.app()
    ann = app.person(app.slack.place())
    verified.model.answer([("UserFact", {"fact": LEAVE, "evidence": LEAVE})])
    verified.model.verdicts.append(503)
    assert (await app.add(ann, LEAVE)).line == f"Remembered: {LEAVE}"
    [memory] = await app.memories(ann)
    form = await app.click(ann, Edit(key=memory.key))
    verified.model.answer(503)
    edited = await app.submit(ann, form, sentence="Sarah is back")
    assert "Sarah is back" in edited.line
    [changed] = await app.memories(ann)
    assert (changed.key, changed.content["fact"]) == (memory.key, "Sarah is back")


async def test_credentials_are_never_stored(verified: Verified) -> None:
    """Neither a slow model nor the button lets a password through."""
    app = await verified.app()
    place = app.slack.place()
    who = app.person(place)
    verified.model.answer(500)
    secret = "My password is hunter2hunter2"
    told = say("en", "refused_secret")
    assert (await app.add(who, secret)).line == told
    for where in ({}, {"channel": place.channel, "ts": place.ts}):
        assert (await app.click(who, Remember(text=secret, **where))).line == told
    assert await app.memories(who) == []


async def test_the_button_stores_nothing_that_is_off_the_record(
    verified: Verified,
) -> None:
    """While memory is off, and of what was forgotten since."""
    app = await verified.app()
    place = app.slack.place()
    who = app.person(place)
    before = f"{float(place.ts) - 60:.6f}"
    held = Remember(text=LEAVE, channel=place.channel, ts=before)
    await turn_off(app.core, who)
    assert (await app.click(who, held)).line == say("en", "off")
    await turn_on(app.core, who)
    assert "Remembered" in (await app.click(who, held)).line
    await app.click(who, Forget(everything=True))
    assert (await app.click(who, held)).line == say("en", "remember_off_record")
    assert await app.memories(who) == []


async def test_a_form_is_read_before_slack_is_asked_who_the_person_is(app: App) -> None:
    """Slack waits three seconds for what becomes of a form, which one slow call may take."""
    who = app.person(app.slack.place())
    opened = await app.click(who, Open(form="add"))
    app.rows(
        "UPDATE person_settings SET profile_at = NULL WHERE user_id = %s", who.user_id
    )
    app.slack.forget_calls()
    assert (await app.submit(who, opened, lines=LEAVE * 300)).errors
    assert app.slack.calls("users.info") == []


@pytest.mark.parametrize("by_button", [False, True])
async def test_what_is_added_while_its_person_is_erased_is_not_stored(
    verified: Verified, monkeypatch: pytest.MonkeyPatch, by_button: bool
) -> None:
    """Neither by a form nor by the button, though Slack has said who they are since."""
    app = await verified.app()
    who = app.person(app.slack.place())

    async def erased() -> None:
        await erase_person(app.pool, who)
        await app.core.people.settings(who)

    meanwhile(monkeypatch, erased)
    if by_button:
        done = await app.click(who, Remember(text=LEAVE))
    else:
        verified.proposes(LEAVE)
        done = await app.add(who, LEAVE)
    assert say("en", "changed_meanwhile") in done.line
    assert await app.memories(who) == []


@pytest.mark.parametrize("how", ["button", "in time", "late"])
async def test_what_is_forgotten_meanwhile_is_not_stored(
    verified: Verified, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Neither by the button nor by Remember This, also where no model judges in time."""
    app = await verified.app()
    other = app.slack.place()
    said = await app.ask(other, LEAVE)
    place = PersonThread(other.user, other.team, other.channel, said.ts, said.thread_ts)
    if how == "late":
        verified.model.answer(500)
    elif how == "in time":
        verified.proposes(LEAVE)
    meanwhile(monkeypatch, lambda: app.click(said.person, Forget(everything=True)))
    if how == "button":
        held = Remember(text=LEAVE, channel=place.channel, ts=said.ts)
        done = await app.click(said.person, held)
    else:
        done = await app.point_at(place)
    assert say("en", "changed_meanwhile") in done.line
    assert await app.memories(said.person) == []


@pytest.mark.parametrize(
    ("sensitive", "stored"), [("never", []), ("store", ["I have asthma"]), ("ask", [])]
)
async def test_the_settings_reach_the_verdicts(
    verified: Verified, sensitive: str, stored: Sequence[str]
) -> None:
    """KIOKU_SENSITIVE says what becomes of sensitive matters; asked, a yes stores it."""
    app = await verified.app(sensitive=sensitive)
    who = app.person(app.slack.place())
    verified.proposes("I have asthma", sensitive="health")
    done = await app.add(who, "I have asthma")
    assert await facts(app, who) == stored
    if sensitive == "never":
        assert done.line == say("en", "refused_sensitive", what="I have asthma")
        assert list(done.buttons) == []
    if sensitive == "ask":
        where = say("en", "audience_dm")
        assert done.line == say(
            "en", "ask_store_line", what="I have asthma", where=where
        )
        [question] = await open_questions(app.pool, who)
        await app.click(who, acts.Answer(question=question.id, answer="yes"))
        assert await facts(app, who) == ["I have asthma"]


@pytest.mark.parametrize("sensitive", [None, "store"])
async def test_what_is_sensitive_is_for_direct_messages_only_wherever_it_was_said(
    verified: Verified, sensitive: str | None
) -> None:
    """The question about it says so; its conversation is told nothing of it after a yes either."""
    app = await verified.app(sensitive=sensitive)
    place = app.slack.place(channel="public", text="I have asthma")
    who = app.person(place)
    verified.proposes("I have asthma", sensitive="health")
    done = await app.point_at(place)
    if sensitive is None:
        where = say("en", "audience_dm")
        assert done.line == say(
            "en", "ask_store_line", what="I have asthma", where=where
        )
        await app.click(who, yes(done))
    [memory] = await app.memories(who)
    assert (memory.content["fact"], memory.audience) == ("I have asthma", DM)
