"""The jobs of a process: it answers the messages that wait, and remembers what was said."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from bot.answering.attempts import answer_thread
from bot.answering.declined import find_declined
from bot.answering.edits import delete_answer, update_from_message
from bot.app import App
from bot.cancellation import in_background
from bot.conversation import backfill
from bot.conversation.channels import CHANGE_CHANNEL, change_channel
from bot.conversation.edits import DELETE_ANSWER, UPDATE_FROM_MESSAGE
from bot.conversation.inbox import ANSWER
from bot.conversation.turns import FORM_MEMORIES
from bot.kept.acts import ASK_AGAIN, ask_again
from bot.kept.lines import SHOW_LINE, show_line
from bot.locale import LANGUAGES, Localizer, say
from bot.logs import fault
from bot.notices.notices import (
    SHOW_NOTICE,
    TELL_UNREAD,
    show_notice,
    tell_unread,
)
from bot.panel.home import PUBLISH, publish_home
from bot.promises.reminders import REMIND, SHOW_REMINDER, remind, show_reminder
from bot.queue.queue import BACKGROUND, REPLIES
from bot.queue.retries import Backoff
from bot.remembering.formation import FIND_DECLINED, form_memories
from bot.runtime.maintenance import register_periodic_work

log = logging.getLogger(__name__)

_REPLIES_AT_ONCE = 32  # in each of two workers
_BACKGROUND_AT_ONCE = 12
_WARM_UP_SECONDS = 0.2
_RUNS_IN_THREE_DAYS = 450
# Later jobs of the same lock wait behind it.
_RETRIES = Backoff(base=4, longest=600.0, most=_RUNS_IN_THREE_DAYS)
ANSWER_RETRIES = Backoff(base=2, longest=15.0)
"""The job of a thread does not end before its message is answered or apologised for."""

_WORK: Mapping[str, Mapping[str, Callable[..., Awaitable[None]]]] = {
    REPLIES: {
        SHOW_NOTICE: show_notice,
        TELL_UNREAD: tell_unread,
        PUBLISH: publish_home,
        DELETE_ANSWER: delete_answer,
    },
    BACKGROUND: {
        REMIND: remind,
        SHOW_REMINDER: show_reminder,
        backfill.CATCH_UP: backfill.catch_up,
        backfill.READ_MISSED: backfill.read_missed_messages,
        UPDATE_FROM_MESSAGE: update_from_message,
        SHOW_LINE: show_line,
        FIND_DECLINED: find_declined,
        ASK_AGAIN: ask_again,
        CHANGE_CHANNEL: change_channel,
        FORM_MEMORIES: form_memories,
    },
}
"""The function of each job by its name, for each queue."""


def register_work(app: App) -> None:
    """Register the function of each job."""
    answer = app.presence.while_installed(partial(answer_thread, app))
    app.queue.register(ANSWER, REPLIES, answer, retry=ANSWER_RETRIES, pass_context=True)
    for queue, functions in _WORK.items():
        for name, function in functions.items():
            work = app.presence.while_installed(partial(function, app))
            app.queue.register(name, queue, work, retry=_RETRIES)
    register_periodic_work(app)


@asynccontextmanager
async def open_worker(app: App) -> AsyncIterator[None]:
    """Answer messages and work the queue; on leaving, let what runs end, or hand it back."""
    register_work(app)
    app.queue.start(replies=_REPLIES_AT_ONCE, background=_BACKGROUND_AT_ONCE)
    async with in_background(_warm_up(app), "warm-up"):
        try:
            yield
        finally:
            await app.queue.stop()
            await app.sessions.close()


async def _warm_up(app: App) -> None:
    """Import for a second, once people can write, so that the first memory need not wait."""
    await asyncio.sleep(_WARM_UP_SECONDS)
    try:
        await asyncio.to_thread(_make_ready, app)
    except Exception as error:  # noqa: BLE001 - whoever needs it first loads it
        log.warning("what a memory needs was not loaded before: %s", fault(error))


def _make_ready(app: App) -> None:
    """Load what the first message would wait for: both catalogues, and the formats of dates."""
    for language in LANGUAGES:
        Localizer(language).minute(datetime.now(UTC))
        say(language, "stopped")
    app.former.warm_up()
    # A full collection would scan the app's own 200,000 objects, which live as long as the process,
    # and stop every answer for tenths of a second. A turn makes many times Python's 700 objects.
    gc.freeze()
    gc.set_threshold(20_000)
