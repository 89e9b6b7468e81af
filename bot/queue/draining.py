"""Runs what is due and ends, for processes that run only for a moment, as on AWS Lambda."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime

from procrastinate import exceptions

from bot.queue.queue import BACKGROUND, HAND_BACK_SECONDS, REPLIES, UPKEEP, WORKER, Queue
from bot.queue.sweep import free_stalled
from memory import execute_statement

_SOON_SECONDS = 10.0
_AGAIN_SECONDS = 0.2
_LOOK_AGAIN_SECONDS = 60.0
# A repeated task runs once in each hour, or else each minute, that has any work (seconds).
_CAUGHT_UP = {"hour": 3_600, "minute": 60}


async def drain(queue: Queue, until: float, *, replies: int, background: int) -> datetime | None:
    """Run all jobs that are due, replies first; return when the next job is due, or None.

    For processes that run only for a moment, as on AWS Lambda: it does not listen for new jobs.
    It waits for jobs that are due within `_SOON_SECONDS`. At `until` (seconds of the event
    loop's clock) running jobs are cancelled and returned to the queue. Repeated jobs run after
    the replies: once for each hour, or else each minute, in which there is any work. The
    database is not woken for them alone.
    """
    loop = asyncio.get_running_loop()
    # procrastinate's own clock would win or lose a race against the end of the work.
    queue.app.periodic_defaults = {"max_delay": -1.0}
    while True:
        await free_stalled(queue.pool)
        await _work_off(queue, [REPLIES], replies, until)
        await _catch_up(queue)
        await _work_off(queue, [BACKGROUND, UPKEEP], background, until)
        due = await _next_due(queue)
        if due is None:
            return None
        wait = max((due - datetime.now(UTC)).total_seconds(), _AGAIN_SECONDS)
        if wait > _SOON_SECONDS or loop.time() + wait > until:
            return due
        await asyncio.sleep(wait)


async def _catch_up(queue: Queue) -> None:
    now = int(datetime.now(UTC).timestamp())
    for task in queue.repeated:
        for name, seconds in _CAUGHT_UP.items():
            due = now - now % seconds
            job = task.configure(task_kwargs={"timestamp": due}).job
            with contextlib.suppress(exceptions.AlreadyEnqueued):
                if await queue.app.job_manager.defer_periodic_job(
                    job=job, periodic_id=name, defer_timestamp=due
                ):
                    break


async def _work_off(queue: Queue, queues: list[str], concurrency: int, until: float) -> None:
    work = asyncio.create_task(
        queue.app.run_worker_async(
            queues=queues,
            name=queues[0],
            concurrency=concurrency,
            wait=False,
            listen_notify=False,
            shutdown_graceful_timeout=HAND_BACK_SECONDS,
            **WORKER,
        )
    )
    queue.jobs.draining = True
    _, late = await asyncio.wait({work}, timeout=until - asyncio.get_running_loop().time())
    queue.jobs.draining = False
    for task in late:
        task.cancel()
    await asyncio.gather(work, return_exceptions=True)
    if not late:
        work.result()


async def _next_due(queue: Queue) -> datetime | None:
    [row] = await execute_statement(
        queue.pool,
        # A process may die while it runs one: another has to look again.
        "SELECT min(CASE WHEN status = 'doing' THEN now() + make_interval(secs => %s)"
        " ELSE COALESCE(scheduled_at, now()) END) AS due FROM procrastinate_jobs"
        " WHERE status IN ('todo', 'doing') AND queue_name = ANY(%s)",
        (_LOOK_AGAIN_SECONDS, [REPLIES, BACKGROUND]),
    )
    due: datetime | None = row["due"]
    return due
