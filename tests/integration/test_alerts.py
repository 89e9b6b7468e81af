"""The alerts of deploy/monitoring, fired by the figures of a real app that fails.

What `/metrics` answers before and after a failure becomes the series of a promtool test: two
scrapes a minute apart, then the last figures for as long as the rules wait.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from bot.runtime.metrics import serving_metrics
from memory import EmbeddedPostgres
from tests.conftest import ROOT
from tests.deploy.promtool import run
from tests.frozen import frozen
from tests.integration.app import App, MakeApp
from tests.integration.test_metrics import Sample, scrape, values

pytestmark = pytest.mark.slow

RULES = ROOT / "deploy" / "monitoring" / "alerts.yaml"
ALERTS = [
    rule["alert"]
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
UP: Sample = ("up", (("instance", "kioku-1:9464"), ("job", "kioku")))
MINUTES = 5


def fired(before: Mapping[Sample, float], after: Mapping[Sample, float], folder: Path) -> set[str]:
    """Return the alerts that fire after these two scrapes."""
    series = [
        {
            "series": named(sample),
            "values": f"{number(before.get(sample))} {number(value)}x{MINUTES}",
        }
        for sample, value in after.items()
    ]
    cases = [{"eval_time": f"{MINUTES - 1}m", "alertname": name} for name in ALERTS]
    tests = [{"interval": "1m", "input_series": series, "alert_rule_test": cases}]
    written = folder / "figures.yaml"
    document = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}
    written.write_text(json.dumps(document))
    # It fails for each alert that fires: none is expected.
    return set(re.findall(r'Labels:\{alertname="(\w+)"', run("test", "rules", str(written)).stdout))


def named(sample: Sample) -> str:
    """Return a sample's name and labels as PromQL writes them."""
    name, labels = sample
    return f"{name}{{{', '.join(f'{key}={json.dumps(value)}' for key, value in labels)}}}"


def number(value: float | None) -> str:
    """Return a figure as promtool reads it; `_` is none."""
    return "_" if value is None or math.isnan(value) else f"{value:.9f}"


async def figures(port: int) -> dict[Sample, float]:
    """Return a scrape, with the `up` that Prometheus adds."""
    return {**values(await scrape(port)), UP: 1.0}


async def answer(app: App, count: int = 1) -> None:
    """Answer one message of each of some people."""
    for _ in range(count):
        await app.ask(app.slack.place(), "I like ramen")


async def test_an_app_that_is_well_fires_nothing(app: App, tmp_path: Path) -> None:
    """Messages that are answered and formed are no alert."""
    async with serving_metrics(app.pool, "127.0.0.1", 0) as port:
        await answer(app)
        before = await figures(port)
        await answer(app, 2)
        assert fired(before, await figures(port), tmp_path) == set()


@pytest.mark.failed_calls(
    "chat.startStream: invalid_blocks",
    "chat.postMessage: invalid_blocks",
    because="Slack refuses an answer.",
)
async def test_alerts_of_failures(make_app: MakeApp, tmp_path: Path) -> None:
    """The model away and refusing, Slack refusing, a late queue, failed jobs: each fires."""
    app = await make_app()
    async with serving_metrics(app.pool, "127.0.0.1", 0) as port:
        app.slack.fault("chat.startStream", error="ratelimited", retry_after=1, times=1)
        await answer(app)
        before = await figures(port)
        # Slack: a rate limit, then a refusal of the answer.
        app.slack.fault("chat.startStream", error="ratelimited", retry_after=1, times=1)
        refused = ("kioku_slack_rate_limits_total", (("method", "chat.startStream"),))
        while (await figures(port))[refused] == before[refused]:
            # No stream is begun before the first wait is over. There must not be many answers: each
            # lowers the share of those that fail.
            await asyncio.sleep(0.4)
            await answer(app)
        app.slack.fault("chat.startStream", error="invalid_blocks", times=1)
        app.slack.fault("chat.postMessage", error="invalid_blocks", times=2)
        await answer(app)
        # A message that has waited for long before it is answered, and one that still waits.
        late, waiting = [await app.receive(app.slack.place(), "I like soba") for _ in range(2)]
        app.rows(
            "UPDATE messages SET received_at = now() - interval '5 minutes'"
            " WHERE ts = ANY(%s) RETURNING 1",
            [late.ts, waiting.ts],
        )
        await app.answering.drain(late.thread)
        app.rows(
            "UPDATE procrastinate_jobs SET scheduled_at = now() - interval '20 minutes'"
            " WHERE task_name = 'form_memories' RETURNING 1"
        )
        app.rows(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status, args)"
            " VALUES ('none', 'example', 'failed', '{}') RETURNING 1"
        )
        # The model: a wrong key, then no answer at all.
        app.fault(error_code="invalid_api_key", times=1)
        await answer(app)
        app.fault(status=500, times=-1)
        await answer(app, 3)
        after = await figures(port)
    found = fired(before, after, tmp_path)
    assert found == set(ALERTS) - {"KiokuProcessDown", "KiokuDatabaseAway"}


async def test_alerts_of_what_is_away(app: App, postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    """PostgreSQL that does not answer, and a process that does not, fire."""
    async with serving_metrics(app.pool, "127.0.0.1", 0) as port:
        before = await figures(port)
        with frozen(postgres):
            after = await figures(port)
    assert fired(before, after, tmp_path) == {"KiokuDatabaseAway"}
    assert fired({UP: 1.0}, {UP: 0.0}, tmp_path) == {"KiokuProcessDown"}
