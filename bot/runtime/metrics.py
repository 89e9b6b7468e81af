"""``/metrics`` in Prometheus' text format, on a port of its own: no texts and no user ids.

Steps and counts are those that the app reports with `memory.step` and `memory.count`; what waits is
asked of PostgreSQL at each scrape. Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import get_args

from aiohttp import web
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from psycopg import OperationalError

from bot.conversation.operating_state import read_operating_state
from bot.conversation.turns import Outcome
from bot.pipeline.responses.failures import Cause
from bot.runtime.http_server import serving
from memory import Pool, Span, recorded

STEPS = {
    "drain": "All waiting messages of a thread",
    "turn": "One message, from its claim to the end of its answer",
    "reply ready": "One message, from its storing to the end of its reply in Slack",
    "begin": "Reading settings, history and memories, and storing the turn",
    "search": "Searching the memories",
    "embed": "One call of the embedding model",
    "model": "All calls of the reply model for one answer",
    "first token": "One call of the reply model, until its first text",
    "end": "Storing the answer and scheduling formation",
    "formation": "One run of formation: the messages of one person and audience",
    "extract": "The memory model's proposals for one run",
    "verdict": "The verdicts on the proposals of one run",
    "commit": "Storing what one run formed",
    "inbox": "Storing a message before Slack is acknowledged",
    "slack post": "chat.postMessage",
    "slack start": "chat.startStream",
    "slack append": "chat.appendStream",
    "slack stop": "chat.stopStream",
    "slack delete": "chat.delete",
}
"""The steps that are measured, and what each is; other steps are left out."""
COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "turns": ("Messages that were answered, by outcome", ("outcome",)),
    "formations": ("Runs of formation, by outcome", ("outcome",)),
    "proposals": ("Proposed memories: what was done, or why nothing was", ("outcome",)),
    "slack_rate_limits": ("Calls that Slack refused with 429, by method", ("method",)),
    "model_tokens": ("Tokens that the models used, by workspace", ("team", "model", "kind")),
    "errors": ("Failed calls of the model, failed deliveries and failed turns", ("kind",)),
    "log_records": ("Warnings and errors in the log", ("level", "logger")),
}
"""The counters, without the prefix ``kioku_`` and the suffix ``_total``: help and labels."""
ERRORS = (*get_args(Cause), "database_away", "delivery", "turn")
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
"""The gauges, read from PostgreSQL and equal in each process, without the prefix: help."""
_WAIT_SECONDS = 1.5
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """The metrics of one process."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._registry = registry = CollectorRegistry()
        self._steps = Histogram(
            "kioku_step_seconds", "Durations", ["step"], buckets=_BUCKETS, registry=registry
        )
        self._counters = {
            name: Counter(f"kioku_{name}", text, labels, registry=registry)
            for name, (text, labels) in COUNTERS.items()
        }
        self._gauges = {
            name: Gauge(f"kioku_{name}", text, registry=registry) for name, text in GAUGES.items()
        }
        for name, values in (("errors", ERRORS), ("turns", get_args(Outcome))):
            for value in values:
                # From 0 on: Prometheus sees no increase in a first value.
                self._counters[name].labels(value)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)

    def step(self, span: Span) -> None:
        """Record the duration of a step."""
        if span.name in STEPS:
            self._steps.labels(span.name).observe(span.seconds)

    def count(self, name: str, amount: float, labels: dict[str, str]) -> None:
        """Add to a counter."""
        self._counters[name].labels(**labels).inc(amount)

    async def text(self) -> bytes:
        """Return all metrics in Prometheus' text format; without those of a missing PostgreSQL."""
        try:
            state = await read_operating_state(self._pool, wait=_WAIT_SECONDS)
        except OperationalError:
            for gauge in self._gauges.values():
                gauge.set(float("nan"))
            self._gauges["database_up"].set(0)
        else:
            self._gauges["database_up"].set(1)
            self._gauges["processes"].set(state.processes)
            self._gauges["messages_waiting"].set(state.waiting)
            self._gauges["oldest_message_seconds"].set(state.oldest_seconds or 0.0)
            self._gauges["jobs_due"].set(state.due)
            self._gauges["oldest_job_seconds"].set(state.overdue or 0.0)
            self._gauges["jobs_later"].set(state.later)
            self._gauges["jobs_failed"].set(state.failed_jobs)
        return generate_latest(self._registry)


class _LogCounter(logging.Handler):
    def __init__(self, metrics: Metrics) -> None:
        super().__init__(logging.WARNING)
        self._metrics = metrics

    def emit(self, record: logging.LogRecord) -> None:
        level, logger = record.levelname.lower(), record.name.split(".")[0]
        self._metrics.count("log_records", 1, {"level": level, "logger": logger})


@asynccontextmanager
async def serving_metrics(pool: Pool, host: str, port: int) -> AsyncIterator[int]:
    """Measure, and serve ``/metrics`` at `host`; yield the port.

    Raises `Problem` if it is taken.
    """
    metrics, application = Metrics(pool), web.Application()
    handler = _LogCounter(metrics)

    async def scraped(_: web.Request) -> web.Response:
        return web.Response(
            body=await metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    application.router.add_get("/metrics", scraped)
    logging.getLogger().addHandler(handler)
    try:
        with recorded(metrics.step, metrics.count):
            async with serving(application, host, port, "KIOKU_METRICS_PORT") as bound:
                yield bound
    finally:
        logging.getLogger().removeHandler(handler)
