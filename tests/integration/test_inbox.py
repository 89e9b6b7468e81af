"""The inbox: stored once, in order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.conversation.edits import MessageChange, change_message
from bot.conversation.inbox import ClaimedMessage, Inbox, Stopped, Superseded, Withdrawn, finish
from bot.conversation.running import RunningThreads
from bot.slack.messages import Message
from memory import Pool
from memory.postgres import transaction
from tests.databases import owner_rows
from tests.integration.messages import LATER, change_of, following, message


@pytest.fixture
async def inbox(pool: Pool) -> Inbox:
    """An inbox of a process that answers nothing."""
    return Inbox(pool, RunningThreads(pool))


def stored(database: str, thread: str) -> list[dict[str, Any]]:
    """Return the events of a thread, as the owner sees them."""
    return owner_rows(database, "SELECT * FROM messages WHERE thread = %s ORDER BY ts", thread)


async def taken(inbox: Inbox, thread: str) -> ClaimedMessage:
    """Take the next message, which there is."""
    waiting = await inbox.claim(thread)
    assert waiting is not None
    return waiting


async def follow(pool: Pool, change: MessageChange) -> None:
    """Store an edit or a deletion."""
    async with transaction(pool, {"kioku.thread": change.thread}) as connection:
        await change_message(connection, change, "", "")


async def begun(inbox: Inbox, asked: Message) -> ClaimedMessage:
    """Store a message and take it."""
    assert await inbox.store(asked)
    return await taken(inbox, asked.thread)


async def done(pool: Pool, waiting: ClaimedMessage) -> None:
    """End a message's turn."""
    async with transaction(pool, {"kioku.thread": waiting.message.thread}) as connection:
        await finish(connection, waiting, "skipped")


async def test_a_message_is_stored_whole_and_waits(inbox: Inbox, database: str) -> None:
    """A message is stored as it came; nobody answers it yet."""
    asked = message("何か食べたい")
    assert await inbox.store(asked)
    [row] = stored(database, asked.thread)
    assert Message(**row["message"]) == asked
    assert (row["status"], row["attempts"], row["worker"]) == ("waiting", 0, None)


async def test_a_message_in_two_events_is_stored_once(inbox: Inbox, database: str) -> None:
    """A mention that comes as message and as app_mention is one message, in either order."""
    asked = message(audience=None)
    assert await inbox.store(asked)
    assert not await inbox.store(replace(asked, text="the same again"))
    assert len(stored(database, asked.thread)) == 1


async def test_a_thread_the_bot_takes_no_part_in_is_left_alone(inbox: Inbox, database: str) -> None:
    """A reply among others leaves no trace; who has asked the bot in a thread goes on there."""
    asked = message(audience=None, channel_id="C1")
    chat = following(asked, addressed=False)
    assert not await inbox.store(chat)
    assert stored(database, asked.thread) == []
    assert await inbox.store(asked)
    assert await inbox.store(following(asked, addressed=False))
    assert not await inbox.store(following(asked, addressed=False, user_id="UOTHER"))
    elsewhere = message(audience=None, channel_id="C1", addressed=False)
    assert not await inbox.store(elsewhere)


async def test_messages_come_in_the_order_they_were_written(inbox: Inbox, pool: Pool) -> None:
    """However they arrive, the oldest that waits comes next; a thread sees its own alone."""
    first = message("1")
    second, third = following(first, "2"), following(first, "3")
    other = message("other")
    for one in (third, other, first, second):
        await inbox.store(one)
    texts = []
    while waiting := await inbox.claim(first.thread):
        texts.append(waiting.message.text)
        await done(pool, waiting)
    assert texts == ["1", "2", "3"]
    assert (await taken(inbox, other.thread)).message.text == "other"


async def test_a_deleted_message_is_not_answered(pool: Pool, inbox: Inbox, database: str) -> None:
    """A message taken back is not taken up, its text is gone, and a running answer is told."""
    asked = message("SECRET")
    waiting = await begun(inbox, asked)
    await inbox.read_flags(waiting)
    await follow(pool, change_of(asked, None))
    with pytest.raises(Withdrawn):
        await inbox.read_flags(waiting)
    assert await inbox.claim(asked.thread) is None
    [row] = stored(database, asked.thread)
    assert (row["status"], row["message"]) == ("gone", None)


@pytest.mark.parametrize(
    "changes", [{"team_id": "T2"}, {"channel_id": "D0"}, {"ts": "1.0"}], ids=lambda c: next(iter(c))
)
async def test_edits_and_deletions_of_others_touch_nothing(
    pool: Pool, inbox: Inbox, database: str, changes: dict[str, str]
) -> None:
    """An edit or deletion that names another message changes nothing here."""
    asked = message("mine")
    await inbox.store(asked)
    for text in ("changed", None):
        await follow(pool, change_of(asked, text, **changes))
    [row] = stored(database, asked.thread)
    assert row["status"] == "waiting"
    assert row["message"]["text"] == "mine"


async def test_stop_reaches_the_running_answer_only(inbox: Inbox, database: str) -> None:
    """Stop interrupts what has begun in that thread, not what waits behind it nor elsewhere."""
    asked = message()
    behind = following(asked)
    other = message()
    for one in (asked, behind, other):
        await inbox.store(one)
    running, elsewhere = await taken(inbox, asked.thread), await taken(inbox, other.thread)
    await inbox.interrupt(asked.thread, stopped_ts=LATER)
    with pytest.raises(Stopped):
        await inbox.read_flags(running)
    assert await inbox.read_flags(elsewhere)
    assert [row["interrupted"] for row in stored(database, asked.thread)] == [True, False]


async def test_an_attempt_that_was_taken_over_is_told(
    inbox: Inbox, database: str, pool: Pool
) -> None:
    """A worker that began a message before another did can neither go on with it nor end it."""
    asked = message()
    await inbox.store(asked)
    first, second = await taken(inbox, asked.thread), await taken(inbox, asked.thread)
    with pytest.raises(Superseded):
        await inbox.read_flags(first)
    with pytest.raises(Superseded):
        await done(pool, first)
    with pytest.raises(Superseded):
        await inbox.finish_without_turn(first, "failed")
    assert stored(database, asked.thread)[0]["status"] == "waiting"
    assert await inbox.read_flags(second)
    await done(pool, second)
    assert stored(database, asked.thread)[0]["status"] == "skipped"


async def test_while_the_database_is_away_nobody_is_stopped(inbox: Inbox, pool: Pool) -> None:
    """Where the stop flag cannot be read the answer goes on, and is told that this is not sure."""
    asked = message()
    waiting = await begun(inbox, asked)
    await inbox.interrupt(asked.thread, stopped_ts=LATER)
    await pool.close()
    assert not await inbox.read_flags(waiting)
