"""The inbox: stored once, in order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from bot.app import App
from bot.cancellation import Interrupted, Stopped, Superseded
from bot.config import Settings
from bot.conversation.edits import MessageChange, edit_message, withdraw_message
from bot.conversation.inbox import (
    ANSWER,
    ClaimedMessage,
    finish,
    finish_without_turn,
    release_message,
    stop_thread,
    store_message,
    take_message,
)
from bot.queue.queue import Queue
from bot.slack.messages import THREAD_SETTING, Message
from memory import Pool
from memory.postgres import transaction
from tests.databases import owner_rows
from tests.integration.app import app_of
from tests.integration.messages import LATER, change_of, following, message


@pytest.fixture
async def app(pool: Pool) -> App:
    """What an inbox of a process needs that answers nothing."""
    queue = Queue(pool)
    await queue.open()
    return app_of(pool=pool, queue=queue, settings=Settings())


def stored(database: str, thread: str) -> list[dict[str, Any]]:
    """Return the events of a thread, as the owner sees them."""
    return owner_rows(
        database, "SELECT * FROM messages WHERE thread = %s ORDER BY ts", thread
    )


async def taken(app: App, thread: str) -> ClaimedMessage:
    """Take the next message, which there is."""
    waiting = await take_message(app, thread, uuid4())
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


async def interruption(waiting: ClaimedMessage) -> type[Interrupted] | None:
    """Return why an answer must end."""
    found = await waiting.run.read_interruption()
    return type(found) if found else None


async def begun(app: App, asked: Message) -> ClaimedMessage:
    """Store a message and take it."""
    assert await store_message(app, asked)
    return await taken(app, asked.thread)


async def done(pool: Pool, waiting: ClaimedMessage) -> None:
    """End a message's turn."""
    async with transaction(
        pool, {"kioku.thread": waiting.message.thread}
    ) as connection:
        await finish(connection, waiting, "skipped")


async def test_a_message_is_stored_whole_and_waits(app: App, database: str) -> None:
    """A message is stored as it came; nobody answers it yet."""
    asked = message("何か食べたい")
    assert await store_message(app, asked)
    [row] = stored(database, asked.thread)
    assert Message(**row["message"]) == asked
    assert (row["status"], row["token"], row["failures"]) == ("waiting", None, 0)
    jobs = owner_rows(
        database,
        "SELECT task_name, args FROM procrastinate_jobs WHERE lock = %s",
        asked.thread,
    )
    assert jobs == [{"task_name": ANSWER, "args": {"thread": asked.thread}}]


async def test_a_message_in_two_events_is_stored_once(app: App, database: str) -> None:
    """A mention that comes as message and as app_mention is one message, in either order."""
    asked = message(audience=None)
    assert await store_message(app, asked)
    assert not await store_message(app, replace(asked, text="the same again"))
    assert len(stored(database, asked.thread)) == 1


async def test_a_thread_the_bot_takes_no_part_in_is_left_alone(
    app: App, database: str
) -> None:
    """A reply among others leaves no trace; who has asked the bot in a thread goes on there."""
    asked = message(audience=None, channel_id="C1")
    chat = following(asked, addressed=False)
    assert not await store_message(app, chat)
    assert stored(database, asked.thread) == []
    assert await store_message(app, asked)
    assert await store_message(app, following(asked, addressed=False))
    assert not await store_message(
        app, following(asked, addressed=False, user_id="UOTHER")
    )
    elsewhere = message(audience=None, channel_id="C1", addressed=False)
    assert not await store_message(app, elsewhere)


@pytest.mark.parametrize(
    "changes",
    [{"team_id": "T2"}, {"channel_id": "D0"}, {"ts": "1.0"}],
    ids=lambda c: next(iter(c)),
)
async def test_edits_and_deletions_of_others_touch_nothing(
    pool: Pool, app: App, database: str, changes: dict[str, str]
) -> None:
    """An edit or deletion that names another message changes nothing here."""
    asked = message("mine")
    await store_message(app, asked)
    for text in ("changed", None):
        await follow(pool, change_of(asked, text, **changes))
    [row] = stored(database, asked.thread)
    assert row["status"] == "waiting"
    assert row["message"]["text"] == "mine"


async def test_stop_reaches_the_running_answer_only(app: App, database: str) -> None:
    """Stop interrupts what has begun in that thread, not what waits behind it nor elsewhere."""
    asked = message()
    behind = following(asked)
    other = message()
    for one in (asked, behind, other):
        await store_message(app, one)
    running = await taken(app, asked.thread)
    elsewhere = await taken(app, other.thread)
    assert await stop_thread(app, asked.thread, stopped_ts=LATER)
    assert await interruption(running) is Stopped
    assert await interruption(elsewhere) is None
    assert [row["status"] for row in stored(database, asked.thread)] == [
        "stopped",
        "waiting",
    ]


async def test_stop_ends_what_waits_where_nothing_has_begun(
    app: App, database: str
) -> None:
    """Slack shows Stop for a message that waits for its turn, too."""
    asked = message()
    behind = following(asked)
    other = message()
    for one in (asked, behind, other):
        await store_message(app, one)
    assert not await stop_thread(app, asked.thread, stopped_ts=asked.ts)
    assert await stop_thread(app, asked.thread, stopped_ts=LATER)
    assert [row["status"] for row in stored(database, asked.thread)] == [
        "stopped",
        "stopped",
    ]
    assert [row["status"] for row in stored(database, other.thread)] == ["waiting"]


async def test_an_attempt_that_was_taken_over_is_told(
    app: App, database: str, pool: Pool
) -> None:
    """A run that took a message before another did can neither go on with it nor end it."""
    asked = message()
    await store_message(app, asked)
    first = await taken(app, asked.thread)
    second = await taken(app, asked.thread)
    # The first run has not released it: its process is taken for dead.
    assert (first.failures, second.failures) == (0, 1)
    assert await interruption(first) is Superseded
    with pytest.raises(Superseded):
        await done(pool, first)
    with pytest.raises(Superseded):
        await finish_without_turn(app, first, "failed")
    with pytest.raises(Superseded):
        await release_message(app, first)
    assert stored(database, asked.thread)[0]["status"] == "waiting"
    assert await interruption(second) is None
    await done(pool, second)
    assert stored(database, asked.thread)[0]["status"] == "skipped"


async def test_the_more_messages_of_a_person_wait_the_later_they_begin(
    app: App, database: str
) -> None:
    """Jobs of a person who writes much are behind those of others."""
    many = [message(user_id="UMANY") for _ in range(3)]
    other = message(user_id="UOTHER")
    for one in (*many, other):
        await store_message(app, one)
    jobs = owner_rows(
        database, "SELECT lock FROM procrastinate_jobs ORDER BY priority DESC, id"
    )
    order = [many[0], other, many[1], many[2]]
    assert [job["lock"] for job in jobs] == [one.thread for one in order]
