"""The inbox: stored once, in order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from bot.config import Settings
from bot.conversation.edits import MessageChange, edit_message, withdraw_message
from bot.conversation.inbox import ANSWER, ClaimedMessage, Inbox, finish
from bot.conversation.run import THREAD_SETTING, Interrupted, Stopped, Superseded, Withdrawn
from bot.queue.queue import Queue
from bot.slack.messages import Message
from memory import Pool
from memory.postgres import transaction
from tests.databases import owner_rows
from tests.integration.messages import LATER, change_of, following, message


@pytest.fixture
async def inbox(pool: Pool) -> Inbox:
    """An inbox of a process that answers nothing."""
    queue = Queue(pool)
    await queue.open()
    return Inbox(pool, queue, Settings())


def stored(database: str, thread: str) -> list[dict[str, Any]]:
    """Return the events of a thread, as the owner sees them."""
    return owner_rows(database, "SELECT * FROM messages WHERE thread = %s ORDER BY ts", thread)


async def taken(inbox: Inbox, thread: str) -> ClaimedMessage:
    """Take the next message, which there is."""
    waiting = await inbox.take(thread, uuid4())
    assert waiting is not None
    return waiting


async def follow(pool: Pool, change: MessageChange) -> None:
    """Store an edit or a deletion."""
    queue = Queue(pool)
    async with transaction(pool, {THREAD_SETTING: change.thread}) as connection:
        if change.text is None:
            await withdraw_message(connection, queue, change)
        else:
            await edit_message(connection, queue, change, "", "", must_agree=False)


async def interruption(pool: Pool, waiting: ClaimedMessage) -> type[Interrupted] | None:
    """Return why an answer must end."""
    async with transaction(pool, {THREAD_SETTING: waiting.run.thread}) as connection:
        found = await waiting.run.read_interruption(connection)
    return type(found) if found else None


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
    assert (row["status"], row["token"], row["failures"]) == ("waiting", None, 0)
    jobs = owner_rows(
        database, "SELECT task_name, args FROM procrastinate_jobs WHERE lock = %s", asked.thread
    )
    assert jobs == [{"task_name": ANSWER, "args": {"thread": asked.thread}}]


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
    while waiting := await inbox.take(first.thread, uuid4()):
        texts.append(waiting.message.text)
        await done(pool, waiting)
    assert texts == ["1", "2", "3"]
    assert (await taken(inbox, other.thread)).message.text == "other"


async def test_a_deleted_message_is_not_answered(pool: Pool, inbox: Inbox, database: str) -> None:
    """A message taken back is not taken up, its text is gone, and a running answer is told."""
    asked = message("SECRET")
    waiting = await begun(inbox, asked)
    assert await interruption(pool, waiting) is None
    await follow(pool, change_of(asked, None))
    assert await interruption(pool, waiting) is Withdrawn
    assert await inbox.take(asked.thread, uuid4()) is None
    [row] = stored(database, asked.thread)
    assert (row["status"], row["message"]) == ("deleted", None)


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


async def test_stop_reaches_the_running_answer_only(
    pool: Pool, inbox: Inbox, database: str
) -> None:
    """Stop interrupts what has begun in that thread, not what waits behind it nor elsewhere."""
    asked = message()
    behind = following(asked)
    other = message()
    for one in (asked, behind, other):
        await inbox.store(one)
    running = await taken(inbox, asked.thread)
    elsewhere = await taken(inbox, other.thread)
    assert await inbox.interrupt(asked.thread, stopped_ts=LATER)
    assert await interruption(pool, running) is Stopped
    assert await interruption(pool, elsewhere) is None
    assert [row["status"] for row in stored(database, asked.thread)] == ["stopped", "waiting"]


async def test_an_attempt_that_was_taken_over_is_told(
    inbox: Inbox, database: str, pool: Pool
) -> None:
    """A run that took a message before another did can neither go on with it nor end it."""
    asked = message()
    await inbox.store(asked)
    first = await taken(inbox, asked.thread)
    second = await taken(inbox, asked.thread)
    # The first run has not released it: its process is taken for dead.
    assert (first.failures, second.failures) == (0, 1)
    assert await interruption(pool, first) is Superseded
    with pytest.raises(Superseded):
        await done(pool, first)
    with pytest.raises(Superseded):
        await inbox.finish_without_turn(first, "failed")
    with pytest.raises(Superseded):
        await inbox.release(first)
    assert stored(database, asked.thread)[0]["status"] == "waiting"
    assert await interruption(pool, second) is None
    await done(pool, second)
    assert stored(database, asked.thread)[0]["status"] == "skipped"


async def test_the_more_messages_of_a_person_wait_the_later_they_begin(
    inbox: Inbox, database: str
) -> None:
    """Jobs of a person who writes much are behind those of others."""
    many = [message(user_id="UMANY") for _ in range(3)]
    other = message(user_id="UOTHER")
    for one in (*many, other):
        await inbox.store(one)
    jobs = owner_rows(database, "SELECT lock FROM procrastinate_jobs ORDER BY priority DESC, id")
    order = [many[0], other, many[1], many[2]]
    assert [job["lock"] for job in jobs] == [one.thread for one in order]
