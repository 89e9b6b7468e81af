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
)
from tests.integration.app import App
from tests.integration.test_changes import ALICE, WIDE, Ledger, food
from tests.integration.test_changes import ledger as ledger

FIRST, SECOND, THIRD, FOURTH = (f"170000000{number}.000000" for number in range(1, 5))
PRIVATE = "helps against my depression"


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
