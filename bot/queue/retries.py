"""When a job that failed, or that asks for it, runs again."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision

from bot.logs import fault

log = logging.getLogger(__name__)


class RunLater(Exception):
    """The job is to run again in `seconds`; other jobs with its lock wait behind it."""

    def __init__(self, seconds: float) -> None:
        super().__init__("The job runs again later.")
        self.seconds = seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff(BaseRetryStrategy):
    """Lets a failed job run again after `base` ** (number of runs) seconds, at most `longest`.

    It fails for good after `most` retries; None: never. A job that was cancelled because its
    process ends runs again at once. Each failure is logged, the last one by procrastinate.
    """

    base: int
    longest: float
    most: int | None = None

    def get_retry_decision(
        self, *, exception: BaseException, job: Job
    ) -> RetryDecision | None:
        """Return when the job runs again, or None if it does not."""
        if isinstance(exception, RunLater):
            return _again_in(exception.seconds)
        if isinstance(exception, asyncio.CancelledError):
            return _again_in(0.0)
        if self.most is not None and job.attempts >= self.most:
            return None
        wait = min(self.base ** (job.attempts + 1), self.longest)
        log.warning(
            "job %s (%s) failed and runs again in %.0f seconds: %s",
            job.id,
            job.task_name,
            wait,
            fault(exception),
        )
        return _again_in(wait)


def _again_in(seconds: float) -> RetryDecision:
    return RetryDecision(retry_at=datetime.now(UTC) + timedelta(seconds=seconds))
