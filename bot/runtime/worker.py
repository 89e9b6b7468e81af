"""The worker: it answers the messages that wait, and remembers what was said."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from bot.conversation.inbox import ANSWER, READ_FOLLOW_UPS
from bot.locale import LANGUAGES, say
from bot.memories.home import PUBLISH
from bot.memories.sent_files import DELETE_FILE, delete_file
from bot.notices.change_notices import SHOW
from bot.pipeline.backfill.backfill import READ_ON, Backfill
from bot.pipeline.backfill.window import CATCH_UP
from bot.pipeline.deleted_messages import DeletedMessageCleanup
from bot.pipeline.fixed_reply import FixedReplies
from bot.pipeline.formation import FORM_MEMORIES
from bot.pipeline.sources import UPDATE_FROM_MESSAGE, UPDATE_FROM_TURN
from bot.pipeline.thread_worker import ModelOutages, ThreadWorker
from bot.pipeline.turn import create_turn
from bot.queue.queue import BACKGROUND, REPLIES, UPKEEP
from bot.runtime.maintenance import EVERY_MINUTE, KEEP_UP, Maintenance
from bot.runtime.wiring import Application
from bot.users.access import RefusalNotices
from bot.users.workspaces import DEPARTED
from bot.views.dates import plain_minute
from memory import Former

REPLIES_AT_ONCE = 64
BACKGROUND_JOBS_AT_ONCE = 8
_WARM_UP_SECONDS = 0.2
_DAY = 86_400
# Seconds before each retry of a formation: five within about an hour, then one a day for five days.
# A crash of the process counts as an attempt, so the first waits are short.
FORMATION_WAITS = (4, 20, 60, 300, 3_600, *[_DAY] * 5)


def _powers(base: int, number: int) -> tuple[int, ...]:
    """Return waits of `base`, `base` squared, and so on."""
    return tuple(base**n for n in range(1, number + 1))


def register_work(wiring: Application) -> None:
    """Register the function of each job."""
    queue = wiring.queue
    answering = create_answering(wiring)
    queue.register(ANSWER, REPLIES, answering.drain, waits=_powers(2, 6))
    catching_up = Backfill(wiring.missed_messages)
    for name, work, queue_name, waits in (
        (FORM_MEMORIES, wiring.formation_jobs.form, BACKGROUND, FORMATION_WAITS),
        (UPDATE_FROM_TURN, wiring.source_updates.update_from_turn, BACKGROUND, _powers(4, 8)),
        (UPDATE_FROM_MESSAGE, wiring.source_updates.update_from_message, BACKGROUND, _powers(4, 8)),
        (SHOW, wiring.notices.show, REPLIES, _powers(2, 6)),
        (PUBLISH, wiring.home_publisher.publish, REPLIES, _powers(2, 8)),
        (READ_FOLLOW_UPS, wiring.missed_messages.follow_ups, REPLIES, _powers(2, 6)),
        (CATCH_UP, catching_up.plan, REPLIES, _powers(2, 6)),
        (READ_ON, catching_up.read_on, REPLIES, _powers(2, 6)),
        (DELETE_FILE, partial(delete_file, wiring.connections.slack), BACKGROUND, _powers(4, 8)),
    ):
        queue.register(name, queue_name, wiring.workspaces.while_served(work), waits=waits)
    queue.register(DEPARTED, BACKGROUND, wiring.workspaces.departed, waits=_powers(4, 8))
    queue.repeat(KEEP_UP, UPKEEP, create_maintenance(wiring).keep_up, cron=EVERY_MINUTE)


@asynccontextmanager
async def open_worker(wiring: Application) -> AsyncIterator[None]:
    """Work the queue; on leaving, take no more and let what runs end, or hand it back."""
    register_work(wiring)
    queue = wiring.queue
    queue.start(replies=REPLIES_AT_ONCE, background=BACKGROUND_JOBS_AT_ONCE)
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
        say(language, "late", time=plain_minute(now, UTC, language))
    Former.warm_up()
    # A full collection would scan the app's own 200,000 objects and stop every answer for some
    # tenths of a second. They live as long as the process and are left out of it.
    gc.freeze()


def create_maintenance(wiring: Application) -> Maintenance:
    """Return the periodic maintenance of the installation."""
    settings = wiring.connections.settings
    return Maintenance(
        wiring.connections.pool,
        wiring.queue,
        history_days=settings.history_days,
        retention_days=settings.retention_days,
        people=wiring.profiles,
    )


def create_answering(wiring: Application) -> ThreadWorker:
    """Return what answers the messages that wait."""
    dependencies, pool = wiring.turn_dependencies, wiring.connections.pool
    fixed_replies = FixedReplies(dependencies, wiring.open_reply_sink)
    return ThreadWorker(
        wiring.inbox,
        create_turn(dependencies, wiring.open_reply_sink),
        fixed_replies,
        ModelOutages(wiring.inbox, fixed_replies, dependencies.replier),
        DeletedMessageCleanup(pool, dependencies.slack, wiring.sessions),
        pool,
        wiring.sessions,
        wiring.policy,
        RefusalNotices(wiring.profiles, dependencies.slack),
    )
