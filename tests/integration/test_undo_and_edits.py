"""Messages that are edited or deleted in Slack while an Undo or another write is under way."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from bot.conversation.history import blank_texts
from bot.pipeline.sources import UPDATE_FROM_MESSAGE, UPDATE_FROM_TURN
from bot.slack.messages import Message
from memory import (
    PUBLIC,
    Change,
    Undo,
    forget,
    history,
    move_memory,
)
from memory.formation import source_changes
from memory.store.unit_of_work import commit_steps
from tests.integration.app import App
from tests.integration.deliveries import nothing
from tests.integration.test_order import changed

# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database


async def forget_everything(app: App, message: Message) -> Undo:
    """Forget all of the message's author, as the command does."""
    blank = partial(blank_texts, person=message.person, period=None, update_notices=nothing)
    undo = (await forget(app.pool, message.person, None, blank_texts=blank)).undo
    assert undo is not None
    return undo


async def change_in_slack(app: App, message: Message, text: str | None) -> None:
    """Let the author edit or delete a message; do what follows from the event."""
    where = {"user": message.user_id, "channel": message.channel_id, "ts": message.ts}
    if text is None:
        app.slack.control("messages/delete", where)
    else:
        app.slack.control("messages/edit", {**where, "text": text})
    await app.changes.note(changed(message, text))
    await update(app)
    await app.answering.drain(message.thread)


async def update(app: App) -> None:
    """Run the waiting jobs that update memories from messages."""
    updates = app.wiring.source_updates
    for job in app.take_jobs(UPDATE_FROM_TURN):
        await updates.update_from_turn(**job)
    for job in app.take_jobs(UPDATE_FROM_MESSAGE):
        await updates.update_from_message(**job)


async def foods(app: App, message: Message) -> list[str]:
    """Return what is remembered of the author's food."""
    return [memory.content["food_name"] for memory in await app.memories(message.person)]


@pytest.mark.parametrize("text", [None, "I love sushi"], ids=["deleted", "edited"])
async def test_undo_restores_nothing_that_was_changed_in_slack_meanwhile(
    app: App, text: str | None
) -> None:
    """Neither the old text of the message comes back, nor what it alone said."""
    message = await app.ask(app.slack.place(), "I love ramen")
    await app.form(message)
    undo = await forget_everything(app, message)
    await change_in_slack(app, message, text)
    await app.wiring.memory_actions.brought_back(message.person, "en", undo.token())
    await update(app)
    turn = app.turn(message)
    assert "ramen" not in turn["question"] + turn["words"]
    assert "ramen" not in await foods(app, message)


async def test_undo_restores_a_message_that_was_edited_before(app: App) -> None:
    """What was forgotten after the edit is restored as the edited message says it."""
    message = await app.ask(app.slack.place(), "I love ramen")
    await change_in_slack(app, message, "I love sushi")
    await app.form(message)
    undo = await forget_everything(app, message)
    await app.wiring.memory_actions.brought_back(message.person, "en", undo.token())
    await update(app)
    assert app.turn(message)["question"] == "I love sushi"
    assert await foods(app, message) == ["sushi"]


async def test_undo_of_a_removal_leaves_nothing_of_a_deleted_message(app: App) -> None:
    """A memory whose message was deleted while it was removed does not stay restored."""
    message = await app.ask(app.slack.place(), "I love ramen")
    await app.form(message)
    changes = app.wiring.modals.changes
    for _ in ("the formation", "its Undo"):
        [newest, *_older] = await history(app.pool, message.person, limit=5)
        assert await changes.undo(message.person, str(newest.id)) is None
        if not await app.memories(message.person):
            await change_in_slack(app, message, None)
    assert await foods(app, message) == ["ramen"]
    await update(app)
    assert await foods(app, message) == []


async def test_words_that_an_undo_restores_are_formed(app: App) -> None:
    """What had not been formed when it was forgotten is formed after the Undo."""
    message = await app.ask(app.slack.place(), "I love ramen")
    undo = await forget_everything(app, message)
    app.take_jobs("form_memories")
    await app.wiring.memory_actions.brought_back(message.person, "en", undo.token())
    [job] = app.formations(message.person)
    assert job["args"]["audience"] == app.turn(message)["audience"]


async def test_a_deletion_finds_a_memory_that_is_moved_meanwhile(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A memory that is moved before its old namespace is locked is removed from the new one."""
    message = await app.ask(app.slack.place(), "I love ramen")
    await app.form(message)
    [ramen] = await app.memories(message.person)
    await app.changes.note(changed(message, None))
    locked = commit_steps

    async def moved_first(*arguments: Any, **more: Any) -> list[Change]:
        monkeypatch.setattr(source_changes, "commit_steps", locked)
        await move_memory(app.pool, app.embedder, message.person, ramen.reference, PUBLIC)
        return await locked(*arguments, **more)

    monkeypatch.setattr(source_changes, "commit_steps", moved_first)
    await update(app)
    assert await app.memories(message.person) == []
