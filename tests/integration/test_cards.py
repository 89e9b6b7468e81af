"""Cards: colleagues see what a person chose to show, word for word, and nothing else."""

from __future__ import annotations

from functools import partial
from string import ascii_uppercase
from typing import Any

import pytest

from bot.locale import say
from bot.memories.data import erase_person
from bot.memories.switches import turn_off
from bot.pipeline.reply import MAX_CALLS
from bot.slack.messages import Message
from bot.ui.acts import Hide, Share
from bot.ui.blocks import SECTION_LIMIT
from bot.ui.cards import MOST_LINES
from memory import (
    COLLEAGUES,
    DM,
    ChangedSince,
    Memory,
    Person,
    PersonMessage,
    Selection,
    add_memories,
    forget,
    move_memory,
    undo_forgetting,
)
from memory.formation import delete_unsaid
from memory.postgres import execute_statement
from memory.store import expire_due, read_card, show_to_colleagues
from tests.integration.app import App
from tests.integration.playground_slack import PersonThread
from tests.integration.responses_server import counted_tokens
from tests.person import shown

SENTENCE = "I like reviews as comments in the pull request"


async def fact(
    app: App,
    person: Person,
    sentence: str = SENTENCE,
    *,
    is_shown: bool = False,
    evidence: str | None = None,
    ts: str = "1000000000.000001",
) -> Memory:
    """Let a person have said something, and have shown it to colleagues; return the memory."""
    said = sentence if evidence is None else evidence
    origin = PersonMessage(actor="command", text=said, channel="D1", ts=ts)
    given = [({"fact": sentence}, origin)]
    await add_memories(app.pool, app.embedder, person.namespace(DM), "UserFact", given)
    [found] = [
        one for one in await app.memories(person) if sentence in str(one.content)
    ]
    if is_shown:
        await show_to_colleagues(app.pool, app.embedder, person, found.key, said)
    return found


async def asks(app: App, asker: PersonThread, name: str) -> tuple[Message, str]:
    """Let a colleague ask; return the message, and what they see below the answer."""
    app.script_calls(("ask_about_colleague", {"name": name}), text="It follows.")
    message = await app.ask(asker, f"How does {name} like reviews?")
    return message, " ".join(shown(one) for one in app.shown(message))


def named(app: App, name: str, **more: Any) -> tuple[PersonThread, Person]:
    """Add a person with a name; return where they write, and who they are."""
    place = app.slack.place(name=name, **more)
    return place, app.person(place)


async def test_a_ticked_line_is_shown_to_a_colleague_and_gone_when_it_is_unticked(
    app: App,
) -> None:
    """Before: nothing told. Then the person's own sentence, which no prompt and no turn holds.

    Whom it mentions is named in the form as for the colleague.
    """
    _, aya = named(app, "Ayaka Tick")
    jonas, _ = named(app, "Jonas Tick")
    said = f"{SENTENCE} of <@{jonas.user}>"
    memory = await fact(app, aya, said)
    nothing = say("en", "card_nothing", who=f"<@{aya.user_id}>")
    mention = f"<@{aya.user_id}>"
    _, seen = await asks(app, jonas, mention)
    assert SENTENCE not in seen
    opened = await app.click(aya, Share(key=memory.key))
    assert opened.form is not None
    assert say("en", "card_will_read") in shown(opened.form)
    assert said in shown(opened.form)
    await app.submit(aya, opened)
    # What is said of it later is not shown: nobody has judged that sentence.
    burnout = f"My burnout: {SENTENCE}"
    await fact(app, aya, said, evidence=burnout, ts="1000000000.000002")
    message, seen = await asks(app, jonas, mention)
    assert said in seen
    assert "burnout" not in seen
    assert say("en", "card_says", who=f"<@{aya.user_id}>") in seen
    assert SENTENCE not in " ".join(app.request_texts())
    assert SENTENCE not in str(app.turn(message))
    await app.click(aya, Hide(key=memory.key))
    _, seen = await asks(app, jonas, mention)
    assert SENTENCE not in seen
    assert nothing in seen
    [again] = await app.memories(aya)
    assert again.audiences == ()


async def test_whatever_was_shown_in_the_course_of_time_is_seen(app: App) -> None:
    """The newest of twenty sentences, too: its author was told that colleagues see it."""
    _, aya = named(app, "Ayaka Often")
    jonas, _ = named(app, "Jonas Often")
    sentences = [f"I like reviews of part {letter}" for letter in ascii_uppercase[:20]]
    for sentence in sentences:
        await fact(app, aya, sentence, is_shown=True)
    _, seen = await asks(app, jonas, f"<@{aya.user_id}>")
    assert [one for one in sentences if one not in seen] == []
    shortest = "• 「茶」（1月1日(木)）\n"
    assert MOST_LINES * len(shortest) > SECTION_LIMIT


async def test_a_public_channel_is_told_what_the_shown_sentence_says_and_no_more(
    app: App,
) -> None:
    """What else was said of the memory in a direct message stays there."""
    place, aya = named(app, "Aya Public", channel="public")
    namespace = aya.namespace(DM)
    for content, sentence in (
        (
            {"food_name": "ramen", "description": "when I am ill"},
            "I eat ramen when I am ill",
        ),
        ({"food_name": "ramen", "preference": 90}, "I  love ramen"),
    ):
        origin = PersonMessage(actor="command", text=sentence)
        given = [(content, origin)]
        await add_memories(
            app.pool, app.embedder, namespace, "UserFoodPreference", given
        )
    [memory] = await app.memories(aya)
    await show_to_colleagues(app.pool, app.embedder, aya, memory.key, "I love ramen")
    await app.ask(place, "<@BOT> What can I eat?")
    assert "ramen" in app.context()
    assert "I am ill" not in app.context()
    show = partial(show_to_colleagues, app.pool, app.embedder, aya, memory.key)
    with pytest.raises(ChangedSince):
        await show("I love ramen")
    await move_memory(app.pool, app.embedder, aya, memory.key, DM)
    await show("I love ramen")
    [again] = await app.memories(aya)
    assert again.audiences == (COLLEAGUES,)


@pytest.mark.parametrize("ends", ["forget", "erase", "off", "deactivate", "edit"])
async def test_a_line_is_gone_with_its_person_or_memory(app: App, ends: str) -> None:
    """Forgotten, erased, memory off, account deactivated, its message edited: nothing is shown."""
    _, aya = named(app, f"Aya {ends}")
    jonas, _ = named(app, f"Jonas {ends}")
    await fact(app, aya, evidence=f"My burnout: {SENTENCE}", ts="1000000000.000000")
    memory = await fact(app, aya, is_shown=True)
    _, seen = await asks(app, jonas, f"<@{aya.user_id}>")
    assert SENTENCE in seen
    match ends:
        case "forget":
            await forget(app.pool, aya, Selection(keys=[memory.key]))
        case "erase":
            await erase_person(app.pool, aya)
        case "off":
            await turn_off(app.core, aya)
        case "edit":
            words = PersonMessage(
                text="Never mind", channel="D1", ts="1000000000.000001"
            )
            message = (words.channel, words.ts)
            await delete_unsaid(app.pool, app.embedder, aya, message, words)
            assert [one.audiences for one in await app.memories(aya)] == [()]
        case "deactivate":
            app.slack.control("users/update", {"user": aya.user_id, "deleted": True})
    _, seen = await asks(app, jonas, f"<@{aya.user_id}>")
    assert SENTENCE not in seen
    # Nothing is stored of a person because somebody asks about them.
    stored = app.rows("SELECT 1 FROM person_settings WHERE user_id = %s", aya.user_id)
    assert stored == []


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("UserFoodPreference", {"food_name": "olives", "preference": 5}),
        # The sentence says it in other words.
        ("UserFact", {"fact": "Lives in Osaka"}),
    ],
)
async def test_a_sentence_that_says_what_is_forgotten_is_not_shown_until_the_undo(
    app: App, kind: str, content: dict[str, Any]
) -> None:
    """Several memories came from it; colleagues were shown one that stays."""
    _, aya = named(app, "Aya Two")
    sentence = "I run marathons, I hate olives and I live in Osaka"
    said = PersonMessage(
        actor="command", text=sentence, channel="D1", ts="1000000000.000001"
    )
    own = aya.namespace(DM)
    add = partial(add_memories, app.pool, app.embedder, own)
    [runs] = await add("UserFact", [({"fact": "I run marathons"}, said)])
    [other] = await add(kind, [(content, said)])
    await show_to_colleagues(app.pool, app.embedder, aya, runs.key, sentence)
    [jonas] = [app.person(app.slack.place())]
    assert await read_card(app.pool, jonas, aya, most=9)
    forgotten = await forget(app.pool, aya, Selection(keys=[other.key]))
    assert await read_card(app.pool, jonas, aya, most=9) == []
    assert [memory.key for memory in await app.memories(aya)] == [runs.key]
    assert forgotten.id is not None
    await undo_forgetting(app.pool, app.embedder, aya, forgotten.id)
    assert await read_card(app.pool, jonas, aya, most=9)
    await forget(app.pool, aya, Selection(keys=[other.key]))
    app.rows(
        "UPDATE statements SET forgotten_at = now() - interval '1 h' WHERE forgotten_id IS NOT NULL"
    )
    await expire_due(app.pool)
    [left] = await app.memories(aya)
    assert (left.key, sentence in str(left.value)) == (runs.key, False)
    assert await read_card(app.pool, jonas, aya, most=9) == []


@pytest.mark.parametrize(
    "who", ["is_restricted", "is_ultra_restricted", "external", "connect"]
)
async def test_guests_and_shared_channels_have_no_card(app: App, who: str) -> None:
    """A guest and a person of another workspace see none and show none; nor does Slack Connect."""
    colleague, aya = named(app, f"Aya {who}")
    await fact(app, aya, is_shown=True)
    channel = "connect" if who in ("external", "connect") else "dm"
    place, guest = named(
        app, f"Guest {who}", channel=channel, external=who == "external"
    )
    if channel == "dm":
        app.slack.control("users/update", {"user": place.user, who: True})
    _, seen = await asks(app, place, f"<@{aya.user_id}>")
    assert SENTENCE not in seen
    await fact(app, guest, "I like calls", is_shown=True)
    _, seen = await asks(app, colleague, f"<@{place.user}>")
    assert ("I like calls" in seen) == (who == "connect")


@pytest.mark.parametrize("why", ["card_sensitive", "card_no_sentence", "memory_gone"])
async def test_a_line_that_cannot_be_shown_has_a_reason(app: App, why: str) -> None:
    """Sensitive by the verdict; without a sentence of the person; its message was deleted."""
    _, aya = named(app, f"Aya {why}")
    sentence = "" if why == "card_no_sentence" else "I have asthma"
    memory = await fact(app, aya, "I have asthma", evidence=sentence)
    if why == "memory_gone":
        message = ("D1", "1000000000.000001")
        await delete_unsaid(app.pool, app.embedder, aya, message, None)
    with counted_tokens() as spent:
        done = await app.click(aya, Share(key=memory.key))
        if done.form is not None:
            done = await app.submit(aya, done)
    assert (done.line, bool(spent)) == (say("en", why), why == "card_sensitive")
    kept = [one.audiences for one in await app.memories(aya)]
    assert kept == ([] if why == "memory_gone" else [()])


# The names that are known, the one that is asked for, and whose card is shown or who may be meant.
NAMES: list[tuple[list[str], str, str | list[str]]] = [
    (["Aya"], "Aya", "Aya"),
    (["Aya Tanaka", "Ben Smith"], "@aya  tanaka", "Aya Tanaka"),
    (["\uff21\uff59\uff41 Tanaka"], "Aya Tanaka", "\uff21\uff59\uff41 Tanaka"),
    (["田中太郎"], "田中太郎", "田中太郎"),
    (["Aya Mallory"], "Aya", ["Aya Mallory"]),
    (["Aya", "Aya Mallory"], "Aya", ["Aya", "Aya Mallory"]),
    (["Aya Tanaka", "Aya Mallory"], "Aya", ["Aya Mallory", "Aya Tanaka"]),
    (["Aya Tanaka", "Aya Tanaka"], "Aya Tanaka", ["Aya Tanaka"]),
    (
        ["Aya Tanaka", "Mallory Aya Tanaka"],
        "Aya Tanaka",
        ["Aya Tanaka", "Mallory Aya Tanaka"],
    ),
    (["田中太郎", "田中花子"], "田中", ["田中太郎", "田中花子"]),
    (["Sally"], "Al", []),
    (["Aya"], "", []),
    ([], "Aya", []),
]


@pytest.mark.parametrize(("known", "asked", "expected"), NAMES)
async def test_a_name_is_taken_for_its_owner_only_if_nobody_elses_has_it_in_it(
    app: App, known: list[str], asked: str, expected: str | list[str]
) -> None:
    """Whoever calls themself much like a colleague is not shown for them: the person is asked."""
    jonas = app.slack.place()
    for name in known:
        _, owner = named(app, name)
        await fact(app, owner, f"I am {name}", is_shown=True)
        app.core.names.note_user(
            owner.team_id, {"id": owner.user_id, "real_name": name}
        )
    _, seen = await asks(app, jonas, asked)
    [output] = app.outputs()
    if isinstance(expected, str):
        assert output == {"shown_privately": True}
        assert f"I am {expected}" in seen
    else:
        assert output.get("colleagues", []) == expected
        assert "error" in output
        assert "I am" not in seen


async def test_a_mention_decides_which_of_two_of_a_name_is_meant(app: App) -> None:
    """By the id and by the name; an id that is not mentioned counts as its name, if it is known."""
    jonas = app.slack.place()
    _, aya = named(app, "Aya Twin")
    _, other = named(app, "Aya Twin")
    for owner in (aya, other):
        await fact(app, owner, f"I am {owner.user_id}", is_shown=True)
        app.core.names.note_user(
            owner.team_id, {"id": owner.user_id, "name": "Aya Twin"}
        )
    _, unknown = named(app, "Ben Unknown")
    await fact(app, unknown, f"I am {unknown.user_id}", is_shown=True)
    asked = {f"@{aya.user_id}": [aya], "Aya Twin": [aya], f"<@{unknown.user_id}>": []}
    for name, expected in asked.items():
        app.script_calls(("ask_about_colleague", {"name": name}))
        message = await app.ask(jonas, f"How does <@{aya.user_id}> like reviews?")
        seen = str(app.shown(message))
        assert [
            one for one in (aya, other, unknown) if f"I am {one.user_id}" in seen
        ] == expected
    app.script_calls(("ask_about_colleague", {"name": f"<@{aya.user_id}>"}))
    message = await app.ask(jonas, "How does Aya Twin like reviews?")
    assert app.outputs()[0]["colleagues"] == ["Aya Twin"]
    assert "I am" not in str(app.shown(message))


async def test_slack_is_asked_once_about_each_person_of_a_message(app: App) -> None:
    """About who asks and who is mentioned; about nobody else, however many have a card.

    Whether they are members is asked even where their names are known, which are a day old at most.
    """
    _, aya = named(app, "Aya Calls")
    await fact(app, aya, is_shown=True)
    for number in range(5):
        _, owner = named(app, f"Owner {number}")
        await fact(app, owner, is_shown=True)
    jonas = app.slack.place()
    for person in (app.person(jonas), aya):
        await app.core.people.settings(person)
        user = {"id": person.user_id, "name": "Known"}
        app.core.names.note_user(person.team_id, user)
    app.slack.forget_calls()
    questions = [{"name": "Nobody"}, {"name": f"@{aya.user_id}"}] * (MAX_CALLS // 2)
    app.script_calls(*[("ask_about_colleague", question) for question in questions])
    await app.ask(jonas, f"How does <@{aya.user_id}> like reviews?")
    asked = [call["args"]["user"] for call in app.slack.calls("users.info")]
    assert sorted(asked) == sorted([jonas.user, aya.user_id])


async def test_people_see_no_line_but_that_of_whom_they_ask(app: App) -> None:
    """Row-level security opens one named person's card, of the same workspace, and reads only."""
    people = [
        Person("T0CARDS" if n % 2 else "T1CARDS", f"U{n:02}CARDS") for n in range(40)
    ]
    for n, person in enumerate(people):
        await fact(app, person, f"line {n} of colleagues", is_shown=True)
        await fact(app, person, f"line {n} of a direct message")
    for n, reader in enumerate(people):
        for m, owner in enumerate(people):
            lines = await read_card(app.pool, reader, owner, most=50)
            texts = [one.content["fact"] for one in lines]
            same = reader.team_id == owner.team_id
            assert texts == ([f"line {m} of colleagues"] if same else []), (n, m)
    scope = {**people[1].settings, "kioku.colleague": people[3].user_id}
    seen = await execute_statement(app.pool, "SELECT prefix FROM store", scope=scope)
    expected = {people[1].namespace(one).prefix for one in (COLLEAGUES, DM)}
    assert {row["prefix"] for row in seen} == expected | {
        people[3].namespace(COLLEAGUES).prefix
    }
    await execute_statement(
        app.pool, "DELETE FROM store WHERE strpos(prefix, 'U03') > 0", scope=scope
    )
    assert len(await read_card(app.pool, people[1], people[3], most=50)) == 1
