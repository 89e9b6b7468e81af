"""The jobs of a process: it answers the messages that wait, and remembers what was said."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from bot.access import tell_refusal
from bot.conversation.inbox import ANSWER
from bot.conversation.texts import UPDATE_FROM_MESSAGE
from bot.conversation.unformed import FORM_MEMORIES
from bot.locale import LANGUAGES, say
from bot.memories.data import DELETE_FILE, delete_file
from bot.memories.forgetting import EMBED, embed_memories
from bot.memories.home import PUBLISH, publish_home
from bot.memories.promises import REMIND, remind
from bot.notices import SHOW_NOTICE, show_notice
from bot.pipeline.backfill import CATCH_UP, READ_MISSED
from bot.pipeline.changes import UPDATE_FROM_TURN, DeletedMessageCleanup
from bot.pipeline.fixed_reply import FixedReplies
from bot.pipeline.thread_worker import ModelOutages, ThreadWorker
from bot.pipeline.turn import create_turn
from bot.queue.queue import BACKGROUND, REPLIES, UPKEEP
from bot.runtime.maintenance import EVERY_MINUTE, KEEP_UP, Maintenance
from bot.runtime.wiring import Application
from bot.ui.reader import Reader
from memory import Former

_REPLIES_AT_ONCE, _BACKGROUND_AT_ONCE = 64, 8
_WARM_UP_SECONDS = 0.2
_DAY = 86_400
# Seconds before each retry of what asks models: five within about an hour, then a day, five times.
# A crash of the process counts as an attempt, so the first waits are short.
FORMATION_WAITS = (4, 20, 60, 300, 3_600, *[_DAY] * 5)
# The same of other jobs, by queue.
_WAITS = {REPLIES: (2, 4, 8, 16, 32, 64), BACKGROUND: tuple(4**n for n in range(1, 9))}


def register_work(wiring: Application) -> None:
    """Register the function of each job."""
    queue, workspaces = wiring.queue, wiring.workspaces
    updates, backfill = wiring.source_updates, wiring.backfill
    for name, place, work in (
        (SHOW_NOTICE, REPLIES, partial(show_notice, wiring.app)),
        (PUBLISH, REPLIES, partial(publish_home, wiring.app)),
        (REMIND, REPLIES, partial(remind, wiring.app)),
        (CATCH_UP, REPLIES, backfill.plan),
        (READ_MISSED, REPLIES, backfill.read),
        (UPDATE_FROM_TURN, BACKGROUND, updates.update_from_turn),
        (UPDATE_FROM_MESSAGE, BACKGROUND, updates.update_from_message),
        (DELETE_FILE, BACKGROUND, partial(delete_file, wiring.app.slack)),
    ):
        queue.register(name, place, workspaces.while_served(work), waits=_WAITS[place])
    form = workspaces.while_served(wiring.formation_jobs.form)
    embed = workspaces.while_served(partial(embed_memories, wiring.app))
    queue.register(FORM_MEMORIES, BACKGROUND, form, waits=FORMATION_WAITS)
    queue.register(EMBED, BACKGROUND, embed, waits=FORMATION_WAITS)
    queue.register(ANSWER, REPLIES, create_answering(wiring).drain, waits=_WAITS[REPLIES])
    queue.repeat(KEEP_UP, UPKEEP, create_maintenance(wiring).keep_up, cron=EVERY_MINUTE)


@asynccontextmanager
async def open_worker(wiring: Application) -> AsyncIterator[None]:
    """Work the queue; on leaving, take no more and let what runs end, or hand it back."""
    register_work(wiring)
    queue = wiring.queue
    queue.start(replies=_REPLIES_AT_ONCE, background=_BACKGROUND_AT_ONCE)
    # A second of imports: once people can write, so that the first memory need not wait.
    loop = asyncio.get_running_loop()
    loop.call_later(_WARM_UP_SECONDS, loop.run_in_executor, None, _make_ready)
    try:
        yield
    finally:
        await queue.stop()
        await wiring.sessions.close()


def _make_ready() -> None:
    """Read what the first message would wait for: both catalogues, how dates are written."""
    now = datetime.now(UTC)
    for language in LANGUAGES:
        Reader(language).plain_minute(now)
        say(language, "stopped")
    Former.warm_up()
    # A full collection would scan the app's own 200,000 objects and stop every answer for some
    # tenths of a second. They live as long as the process and are left out of it.
    gc.freeze()


def create_maintenance(wiring: Application) -> Maintenance:
    """Return the periodic maintenance of the installation."""
    app = wiring.app
    return Maintenance(app.pool, app.queue, app.people, app.settings)


def create_answering(wiring: Application) -> ThreadWorker:
    """Return what answers the messages that wait."""
    dependencies, pool = wiring.turn_dependencies, wiring.app.pool
    fixed_replies = FixedReplies(dependencies, wiring.open_reply_sink)
    return ThreadWorker(
        wiring.inbox,
        create_turn(dependencies, wiring.open_reply_sink),
        fixed_replies,
        ModelOutages(pool, wiring.inbox, fixed_replies, dependencies.replier),
        DeletedMessageCleanup(pool, dependencies.slack, wiring.sessions),
        pool,
        wiring.sessions,
        wiring.app.policy,
        partial(tell_refusal, wiring.app.people, dependencies.slack),
    )
