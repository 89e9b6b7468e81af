"""``/metrics`` in Prometheus' text format, on a port of its own: no texts and no user ids.

The app reports steps and counts with `memory.metrics.step` and `memory.metrics.count`; each scrape
asks PostgreSQL what waits. Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, get_args

from aiohttp import web
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from psycopg import OperationalError

from bot import VERSION
from bot.conversation.inbox import Outcome
from bot.models.failures import Cause
from bot.queue.queue import read_queue_state
from bot.remembering.formation import FormationOutcome
from bot.runtime.http import serving
from memory import Pool
from memory.metrics import recorded
from memory.postgres import execute_statement, load_statements, transaction_timeout

COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "turns": ("Messages that were answered, by outcome", ("outcome",)),
    "formations": ("Runs of formation, by outcome", ("outcome",)),
    "proposals": ("Proposed memories: what was done, or why nothing was", ("outcome",)),
    "ratings": ("Clicks on Good and Not Good below answers", ("rating",)),
    "slack_rate_limits": ("Calls that Slack refused with 429, by method", ("method",)),
    "model_tokens": (
        "Tokens that the models used, by workspace",
        ("team", "model", "kind"),
    ),
    "errors": (
        "Failed calls of the model and of PostgreSQL, failed deliveries and turns",
        ("kind",),
    ),
    "log_records": ("Warnings and errors in the log", ("level", "logger")),
}
"""The counters, without the prefix ``kioku_`` and the suffix ``_total``: help and labels."""
ERRORS = (*get_args(Cause), "database_away", "delivery", "slack_away", "turn")
"""The kinds of ``kioku_errors_total``."""
GAUGES = {
    "database_up": "1 if PostgreSQL answered this scrape, else 0",
    "processes": "Running processes of this installation",
    "messages_waiting": "Messages that wait for an answer",
    "oldest_message_seconds": "Age of the oldest of them; 0 without one",
    "jobs_due": "Jobs that are due",
    "oldest_job_seconds": "How long the job of them that was scheduled first has been due",
    "jobs_later": "Jobs that are scheduled for later",
    "jobs_failed": "Jobs that failed and are not tried again",
}
"""The gauges, without the prefix: help. All but the first are read from PostgreSQL."""
_SQL = load_statements("bot.runtime", "maintenance")
_WAIT_SECONDS = 1.5
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics(logging.Handler):
    """The metrics of one process; as a handler of logs it counts warnings and errors."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(logging.WARNING)
        self._pool = pool
        registry = CollectorRegistry()
        self._registry = registry
        self._steps = Histogram(
            "kioku_step_seconds",
            "Durations",
            ["step"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._counters: dict[str, Counter] = {}
        for name, (text, labels) in COUNTERS.items():
            counter = Counter(f"kioku_{name}", text, labels, registry=registry)
            self._counters[name] = counter
        # They begin with 0, because Prometheus sees no increase in a first value.
        for kind in ERRORS:
            self._counters["errors"].labels(kind)
        for outcome in get_args(Outcome):
            self._counters["turns"].labels(outcome)
        for outcome in get_args(FormationOutcome):
            self._counters["formations"].labels(outcome)
        self._gauges: dict[str, Gauge] = {}
        for name, text in GAUGES.items():
            gauge = Gauge(f"kioku_{name}", text, registry=registry)
            self._gauges[name] = gauge
        build = Info("kioku_build", "The version of Kioku", registry=registry)
        build.info({"version": VERSION})
        ProcessCollector(registry=registry)

    def step(self, name: str, seconds: float) -> None:
        """Record the duration of a step."""
        self._steps.labels(name).observe(seconds)

    def count(self, name: str, amount: float, labels: dict[str, str]) -> None:
        """Add to a counter."""
        self._counters[name].labels(**labels).inc(amount)

    def emit(self, record: logging.LogRecord) -> None:
        """Count a record of the log."""
        level = record.levelname.lower()
        logger = record.name.split(".")[0]
        self.count("log_records", 1, {"level": level, "logger": logger})

    async def page(self, _: web.Request) -> web.Response:
        """Answer a scrape; gauges that PostgreSQL does not answer in time are NaN."""
        state: dict[str, Any] = {}
        with suppress(OperationalError), transaction_timeout(_WAIT_SECONDS):
            state = await read_operating_state(self._pool)
        for name, gauge in self._gauges.items():
            gauge.set(state.get(name, float("nan")))
        self._gauges["database_up"].set(bool(state))
        headers = {"Content-Type": CONTENT_TYPE_PLAIN_0_0_4}
        return web.Response(body=generate_latest(self._registry), headers=headers)


@asynccontextmanager
async def serving_metrics(pool: Pool, host: str, port: int) -> AsyncIterator[int]:
    """Measure, and serve ``/metrics`` at `host`; yield the port.

    Raises `Problem` if the port is taken.
    """
    metrics = Metrics(pool)
    application = web.Application()
    application.router.add_get("/metrics", metrics.page)
    logging.getLogger().addHandler(metrics)
    try:
        with recorded(metrics.step, metrics.count):
            async with serving(application, host, port, "KIOKU_METRICS_PORT") as opened:
                yield opened
    finally:
        logging.getLogger().removeHandler(metrics)


async def read_operating_state(pool: Pool) -> dict[str, Any]:
    """Return the current state: counts, ages of the oldest in seconds, and the server's.

    The server's are its version and `quoting`, the settings by which its log may hold texts of
    people.
    """
    messages = await execute_statement(pool, _SQL["operating_state"])
    queue = await read_queue_state(pool)
    return {**messages[0], **queue}
