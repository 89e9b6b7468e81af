"""What was said in a direct message stays there, whatever is done with its memory afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.ui.acts import Move
from memory import (
    DM,
    PUBLIC,
    PersonMessage,
    Selection,
    edit_memory,
    forget,
    move_memory,
    recall_memories,
    undo_forgetting,
)
from memory.formation import delete_unsaid
from tests.integration.app import App
from tests.integration.test_changes import ALICE, WIDE, Ledger, food
from tests.integration.test_changes import ledger as ledger

FIRST, SECOND, THIRD, FOURTH = (f"170000000{number}.000000" for number in range(1, 5))
PRIVATE = "helps against my depression"


async def known_in_public(ledger: Ledger) -> str:
    """Return what a public channel knows of Alice's memories."""
    found = await recall_memories(ledger.pool, ledger.embedder, WIDE, "food")
    return " ".join(str(one.content) for one in found.memories)


async def say_in_private(ledger: Ledger, ts: str, key: str = "") -> str:
    """Say something private about ramen in a direct message; return the memory's key."""
    content = food("ramen", 90, description=PRIVATE)
    said = await ledger.say(f"Ramen {PRIVATE}", ts=ts, content=content, key=key)
    return said.changes[0].key if said.changes else key


async def to_public(ledger: Ledger, key: str) -> None:
    """Let a memory be used in the whole workspace."""
    await move_memory(ledger.pool, ledger.embedder, ALICE, key, PUBLIC)


async def test_a_form_edits_a_private_memory_in_private(ledger: Ledger) -> None:
    """A channel knew a description before the memory was taken back."""
    first = await ledger.change(
        "Spicy ramen!", ts=FIRST, content=food("ramen", description="spicy"), view=WIDE
    )
    await ledger.say(
        "No ramen any more", ts=SECOND, content=None, key=first.key, view=WIDE
    )
    again = await ledger.change(
        "Ramen again", ts=THIRD, content=food("ramen", 90), view=WIDE
    )
    await ledger.say(
        "Ramen daily",
        ts=FOURTH,
        content=food("ramen", 90, description="daily"),
        key=again.key,
    )
    content = food("ramen", 90, description=PRIVATE)
    typed = PersonMessage(actor="modal", text=PRIVATE)
    await edit_memory(ledger.pool, ledger.embedder, ALICE, again.key, content, typed)
    assert PRIVATE in str(await ledger.contents())
    assert await known_in_public(ledger) == ""


async def test_what_is_formed_after_a_move_was_not_moved(ledger: Ledger) -> None:
    """The memory model was away; the person saw only what there was when they moved the memory."""
    liked = await ledger.like("ramen", ts=FIRST)
    await to_public(ledger, liked.key)
    await say_in_private(ledger, SECOND, liked.key)
    assert PRIVATE in str(await ledger.contents())
    assert PRIVATE not in await known_in_public(ledger)


async def test_what_an_edit_of_a_moved_message_adds_was_not_moved(
    ledger: Ledger,
) -> None:
    """A direct message gets another sentence after its memory was made public."""
    liked = await ledger.like("ramen", ts=FIRST)
    await to_public(ledger, liked.key)
    edited = f"I love ramen. Ramen {PRIVATE}"
    words = PersonMessage(text=edited, channel="D1", ts=FIRST)
    await delete_unsaid(ledger.pool, ledger.embedder, ALICE, ("D1", FIRST), words)
    await say_in_private(ledger, FIRST, liked.key)
    assert PRIVATE not in await known_in_public(ledger)


async def test_what_comes_back_to_a_moved_memory_was_not_moved(ledger: Ledger) -> None:
    """Forgotten words come back by Undo to a memory that was made public meanwhile."""
    old = await say_in_private(ledger, FIRST)
    gone = await forget(ledger.pool, ALICE, Selection(keys=[old]))
    new = await ledger.like("ramen", ts=SECOND)
    await to_public(ledger, new.key)
    assert gone.id is not None
    await undo_forgetting(ledger.pool, ledger.embedder, ALICE, gone.id)
    assert PRIVATE in str(await ledger.contents())
    assert await known_in_public(ledger) == ""


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
