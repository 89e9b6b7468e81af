"""What counts of what was said: clicks, moves, what was undone, and what is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from bot.acts.kinds import Move
from memory import (
    DM,
    PUBLIC,
    ChangeGone,
    PersonMessage,
    Selection,
    answer_question,
    edit_memory,
    forget,
    move_memory,
    open_questions,
    recall_memories,
    undo_forgetting,
)
from memory.formation import take_back
from memory.postgres import person_transaction
from memory.store import expire_due
from memory.store.edits import statement_of
from memory.store.questions import ask
from tests.databases import naming
from tests.integration.app import App
from tests.integration.test_changes import ALICE, OWN, WIDE, Ledger, food
from tests.integration.test_changes import ledger as ledger

FIRST, SECOND = "1700000001.000000", "1700000002.000000"
FOOD = "UserFoodPreference"


async def click(ledger: Ledger, key: str, level: int) -> None:
    """Change a level in a form in which nothing is typed."""
    content = food("soba", level)
    await edit_memory(
        ledger.pool,
        ledger.embedder,
        ALICE,
        key,
        content,
        PersonMessage(actor="command"),
    )


async def delete(ledger: Ledger, ts: str) -> None:
    """Delete a message in Slack."""
    await take_back(ledger.pool, ledger.embedder, ALICE, ("D1", ts), is_deleted=True)


def purge_now(ledger: Ledger) -> None:
    """Let the time of an Undo of forgetting be over."""
    ledger.rows(
        "UPDATE forgotten SET at = now() - interval '11 min' WHERE purged_at IS NULL"
    )


SINCE = datetime.fromtimestamp(1_700_000_000, UTC)


@pytest.mark.parametrize(
    "selection",
    [
        Selection(messages=[("D1", FIRST)]),
        Selection(since=SINCE, until=SINCE + timedelta(hours=1)),
    ],
)
async def test_a_click_keeps_nothing_that_is_forgotten(
    ledger: Ledger, selection: Selection
) -> None:
    """It goes with the message, comes back with it, and leaves nothing in the log."""
    liked = await ledger.like("soba", ts=FIRST)
    await click(ledger, liked.key, 90)
    forgotten = await forget(ledger.pool, ALICE, selection)
    assert await ledger.contents() == []
    assert forgotten.id is not None
    await undo_forgetting(ledger.pool, ledger.embedder, ALICE, forgotten.id)
    assert await ledger.contents() == [food("soba", 90)]
    await forget(ledger.pool, ALICE, selection)
    purge_now(ledger)
    await expire_due(ledger.pool)
    assert naming(ledger.database, "soba") == {}


@pytest.mark.parametrize("how", ["withdrawn", "forgotten", "over", "removed"])
async def test_a_click_keeps_nothing_that_is_deleted(ledger: Ledger, how: str) -> None:
    """What does not count keeps no memory of which only a click is left."""
    first = await ledger.like("soba", ts=FIRST)
    if how == "withdrawn":
        await ledger.undo(first)
    elif how == "removed":
        await ledger.change(
            "I hate soba", ts="1700000001.5", content=None, key=first.key
        )
    await ledger.change(
        "I do love soba", ts=SECOND, content=food("soba"), key=first.key
    )
    await click(ledger, first.key, 90)
    if how == "forgotten":
        await forget(ledger.pool, ALICE, Selection(messages=[("D1", FIRST)]))
    elif how == "over":
        ledger.rows(f"UPDATE statements SET until = now() WHERE ts = '{FIRST}'")
    await delete(ledger, SECOND)
    assert await ledger.contents() == []


async def test_a_move_and_a_removal_leave_with_what_they_are_about(
    ledger: Ledger,
) -> None:
    """The log has nothing of a memory of which nothing is said any more, and no Undo offers it."""
    liked = await ledger.like("soba", ts=FIRST)
    await move_memory(ledger.pool, ledger.embedder, ALICE, liked.key, PUBLIC)
    await ledger.change("I hate soba", ts=SECOND, content=None, key=liked.key)
    await delete(ledger, FIRST)
    assert ledger.rows("SELECT act FROM statements") == []
    forgotten = await forget(ledger.pool, ALICE, Selection(everything=True))
    assert forgotten.id is None


async def test_a_blanked_quote_is_no_click(ledger: Ledger) -> None:
    """Two messages say ramen; one loses its quote, and then the other one is deleted."""
    ramen = await ledger.like("ramen", ts=FIRST)
    text = "I love ramen and osaka sushi"
    await ledger.change(text, ts=SECOND, content=food("ramen"), key=ramen.key)
    sushi = await ledger.change(text, ts=SECOND, content=food("osaka sushi"))
    await forget(ledger.pool, ALICE, Selection(keys=[sushi.key]))
    purge_now(ledger)
    await expire_due(ledger.pool)
    await delete(ledger, FIRST)
    assert [one["food_name"] for one in await ledger.contents()] == ["ramen"]


async def test_what_an_earlier_key_says_is_forgotten_by_the_present_one(
    ledger: Ledger,
) -> None:
    """A memory was renamed and taken back, and what was undone of it stayed under its key."""
    liked = await ledger.like("soba", ts=FIRST)
    more = await ledger.change(
        "soba is fine", ts="1700000001.5", content=food("soba", 60), key=liked.key
    )
    await ledger.undo(more)
    await ledger.edit(liked.key, food("udon"))
    other = await ledger.like("soba", ts=SECOND)
    await ledger.say("No udon", ts="4000000000.0", content=None, key=liked.key)
    await forget(ledger.pool, ALICE, Selection(keys=[other.key]))
    purge_now(ledger)
    await expire_due(ledger.pool)
    assert naming(ledger.database, "soba") == {}


async def test_undone_words_do_not_count_again_by_a_second_formation(
    ledger: Ledger,
) -> None:
    """Another sentence of their message was edited; other words are something new."""
    liked = await ledger.like("soba", ts=FIRST)
    await ledger.undo(liked)
    again = await ledger.say("I love soba", ts=FIRST, content=food("soba"))
    assert again.changes == ()
    assert await ledger.contents() == []
    await ledger.like("soba", ts=SECOND)
    assert await ledger.contents() == [food("soba")]


async def test_what_would_be_over_is_not_asked(ledger: Ledger) -> None:
    """Its end came while the question was open."""
    origin = PersonMessage(actor="question", text="I love soba", channel="D1", ts=FIRST)
    until = datetime.now(UTC) - timedelta(hours=1)
    said = statement_of(
        str(uuid4()), FOOD, DM, food("soba"), origin, batch=uuid4(), until=until
    )
    async with person_transaction(ledger.pool, ALICE, locked=True) as transaction:
        await ask(transaction, [said])
    assert await open_questions(ledger.pool, ALICE) == []
    with pytest.raises(ChangeGone):
        await answer_question(ledger.pool, ledger.embedder, ALICE, said.id, "yes")


async def test_what_was_taken_back_stays_so_when_a_typo_is_mended(
    ledger: Ledger,
) -> None:
    """The mended sentence is as old as its message."""
    liked = await ledger.change("I lvoe soba.", ts=FIRST, content=food("soba"))
    await ledger.change("I hate soba", ts=SECOND, content=None, key=liked.key)
    message = ("D1", FIRST)
    await take_back(ledger.pool, ledger.embedder, ALICE, message, is_deleted=False)
    await ledger.say("I love soba.", ts=FIRST, content=food("soba"))
    assert await ledger.contents() == []


async def test_a_second_formation_of_a_sentence_adds_nothing_to_undo(
    ledger: Ledger,
) -> None:
    """The model proposes a known memory again, with the sentence that it was formed from."""
    liked = await ledger.change("I love soba.", ts=FIRST, content=food("soba"))
    store = await ledger.run("I love soba. Good morning!", FIRST)
    value = {"kind": FOOD, "content": {**food("soba"), "evidence": "I love soba."}}
    await store.aput(OWN.own.parts, liked.key, value)
    await store.commit()
    await ledger.undo(liked)
    assert await ledger.contents() == []


async def known_in_public(ledger: Ledger) -> str:
    """Return what a public channel knows of Alice's memories."""
    found = await recall_memories(ledger.pool, ledger.embedder, WIDE, "food")
    return " ".join(str(one.content) for one in found.memories)


async def test_forgetting_a_day_does_not_undo_its_clicks(ledger: Ledger) -> None:
    """What was moved to direct messages today stays there when today's words are forgotten."""
    liked = await ledger.change(
        "I love ramen", ts=FIRST, content=food("ramen"), view=WIDE
    )
    await move_memory(ledger.pool, ledger.embedder, ALICE, liked.key, DM)
    await edit_memory(
        ledger.pool,
        ledger.embedder,
        ALICE,
        liked.key,
        food("ramen", 5),
        PersonMessage(actor="command"),
    )
    now = datetime.now(UTC)
    today = Selection(since=now - timedelta(hours=12), until=now + timedelta(hours=1))
    assert not (await forget(ledger.pool, ALICE, today)).memories
    assert await ledger.contents() == [food("ramen", 5)]
    assert await known_in_public(ledger) == ""


@pytest.mark.parametrize("reworded", ["I love ramen", "I really love ramen!"])
async def test_a_reworded_message_stays_where_its_memory_was_moved(
    app: App, reworded: str
) -> None:
    """Said in public, moved to direct messages, then edited and formed again."""
    place = app.slack.place(channel="public")
    bot = f"<@{app.slack.bot_user_id}>"
    message = await app.ask(place, f"{bot} I really love ramen")
    await app.form(message, PUBLIC)
    [memory] = await app.memories(message.person)
    await app.click(message.person, Move(key=memory.key, to=DM))
    await app.change(message, f"{bot} {reworded}")
    await app.answering.drain(message.thread)
    await app.form(message, PUBLIC)
    [memory] = await app.memories(message.person)
    assert memory.content["food_name"] == "ramen"
    assert memory.audience == DM
