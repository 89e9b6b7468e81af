"""The jobs of a process: it answers the messages that wait, and remembers what was said."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from procrastinate.retry import RetryStrategy

from bot.conversation.edits import UPDATE_FROM_MESSAGE
from bot.conversation.turns import FORM_MEMORIES
from bot.delivery.reply_stream import ReplyStream
from bot.locale import LANGUAGES, Reader, say
from bot.memories.channels import CHANGE_CHANNEL, change_channel
from bot.memories.data import DELETE_FILE, delete_file
from bot.memories.forgetting import EMBED, embed_memories
from bot.memories.home import PUBLISH, publish_home
from bot.memories.promises import REMIND, remind
from bot.notices import SHOW_NOTICE, TELL_UNREAD, show_notice, tell_unread
from bot.pipeline import backfill
from bot.pipeline.changes import update_from_message
from bot.pipeline.formation import form_memories
from bot.pipeline.turn import ThreadWorker, TurnDependencies
from bot.queue.queue import BACKGROUND, REPLIES
from bot.runtime.maintenance import EVERY_MINUTE, KEEP_UP, keep_up
from memory import Former

_THREADS_AT_ONCE, _JOBS_AT_ONCE = 64, 12
_WARM_UP_SECONDS = 0.2
# The n-th retry comes after 2^n or 4^n seconds: the last one after a minute or three days. A crash
# of the process counts as an attempt, so the first waits are short.
RETRIES = {
    REPLIES: RetryStrategy(max_attempts=6, exponential_wait=2),
    BACKGROUND: RetryStrategy(max_attempts=9, exponential_wait=4),
}


def register_work(dependencies: TurnDependencies) -> None:
    """Register the function of each job."""
    app = dependencies.app
    for name, place, work in (
        (SHOW_NOTICE, REPLIES, partial(show_notice, app)),
        (TELL_UNREAD, REPLIES, partial(tell_unread, app)),
        (PUBLISH, REPLIES, partial(publish_home, app)),
        (REMIND, BACKGROUND, partial(remind, app)),
        (backfill.CATCH_UP, BACKGROUND, partial(backfill.plan, app)),
        (backfill.READ_MISSED, BACKGROUND, partial(backfill.read, app)),
        (UPDATE_FROM_MESSAGE, BACKGROUND, partial(update_from_message, app)),
        (CHANGE_CHANNEL, BACKGROUND, partial(change_channel, app)),
        (DELETE_FILE, BACKGROUND, partial(delete_file, app.slack)),
        (EMBED, BACKGROUND, partial(embed_memories, app)),
        (FORM_MEMORIES, BACKGROUND, partial(form_memories, app)),
    ):
        app.queue.register(name, place, app.workspaces.while_served(work), retry=RETRIES[place])
    app.queue.repeat(KEEP_UP, partial(keep_up, app), cron=EVERY_MINUTE)


@asynccontextmanager
async def open_worker(dependencies: TurnDependencies) -> AsyncIterator[None]:
    """Answer messages and work the queue; on leaving, let what runs end, or hand it back."""
    register_work(dependencies)
    app = dependencies.app
    app.queue.start(at_once=_JOBS_AT_ONCE)
    threads = app.inbox.threads
    await threads.start(create_thread_worker(dependencies).drain, at_once=_THREADS_AT_ONCE)
    # A second of imports: once people can write, so that the first memory need not wait.
    loop = asyncio.get_running_loop()
    loop.call_later(_WARM_UP_SECONDS, loop.run_in_executor, None, _make_ready)
    try:
        yield
    finally:
        await asyncio.gather(threads.stop(), app.queue.stop())
        await app.sessions.close()


def _make_ready() -> None:
    """Read what the first message would wait for: both catalogues, how dates are written."""
    for language in LANGUAGES:
        Reader(language).plain_minute(datetime.now(UTC))
        say(language, "stopped")
    Former.warm_up()
    # A full collection would scan the app's own 200,000 objects, which live as long as the process,
    # and stop every answer for tenths of a second. A turn makes many times Python's 700 objects.
    gc.freeze()
    gc.set_threshold(20_000)


def create_thread_worker(dependencies: TurnDependencies) -> ThreadWorker:
    """Return what answers the messages that wait."""
    app = dependencies.app
    open_reply_sink = partial(
        ReplyStream,
        app.pool,
        app.slack,
        app.sessions,
        app.people,
        stand_in=app.settings.stand_in,
        read_flags=app.inbox.read_flags,
    )
    return ThreadWorker(dependencies, open_reply_sink)
