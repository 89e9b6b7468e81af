"""``/metrics``: what Prometheus reads of a process, and nothing that a person wrote."""

from __future__ import annotations

import asyncio
import logging
import math
import re

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from psycopg.errors import DiskFull

from bot import VERSION
from bot.listeners.bolt_app import answer_to
from bot.runtime.prometheus import serving_metrics
from memory import EmbeddedPostgres
from tests.conftest import ROOT
from tests.frozen import frozen
from tests.integration.app import App

Sample = tuple[str, tuple[tuple[str, str], ...]]


def values(text: str) -> dict[Sample, float]:
    """Return each sample of a scrape by its name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def scrape(port: int) -> str:
    """Return what a process answers to Prometheus."""
    url = f"http://127.0.0.1:{port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        return await answer.text()


async def test_a_turn_and_its_formation_are_counted(app: App) -> None:
    """Durations, outcomes, tokens by workspace, and what waits; no text and no user id."""
    place = app.slack.place()
    async with serving_metrics(app.pool, "127.0.0.1", 0) as port:
        message = await app.ask(place, "I love ramen and I write Rust.")
        await app.form(message)
        await app.receive(place, "And soba")
        logging.getLogger("bot.test").warning("Something happened.")
        text = await scrape(port)
    seen = values(text)

    def steps(name: str) -> float:
        return seen["kioku_step_seconds_count", (("step", name),)]

    assert steps("first token") == steps("model") == steps("end") == 1
    assert steps("embed") >= 1
    assert (
        steps("reply ready")
        == steps("formation")
        == steps("extract")
        == steps("verdict")
        == 1
    )
    assert steps("commit") == 1
    assert seen["kioku_turns_total", (("outcome", "answered"),)] == 1
    assert seen["kioku_formations_total", (("outcome", "changed"),)] == 1
    assert seen["kioku_proposals_total", (("outcome", "remembered"),)] == 2
    team = ("team", app.slack.team_id)
    used = {
        dict(labels)["kind"]: value
        for (name, labels), value in seen.items()
        if name == "kioku_model_tokens_total" and team in labels
    }
    assert used["input"] > used["output"] > 100
    assert (
        seen["kioku_log_records_total", (("level", "warning"), ("logger", "bot"))] == 1
    )
    assert seen["kioku_build_info", (("version", VERSION),)] == 1
    assert seen["kioku_database_up", ()] == 1
    assert seen["kioku_messages_waiting", ()] == 1
    assert 0 <= seen["kioku_oldest_message_seconds", ()] < 60
    assert "process_resident_memory_bytes" in text
    assert not re.search(r"ramen|Osaka|soba", text)
    assert place.user not in text


async def test_what_alerts_and_the_dashboard_name_is_a_figure(app: App) -> None:
    """An alert on a figure that is not there would never come."""
    async with serving_metrics(app.pool, "127.0.0.1", 0) as port:
        text = await scrape(port)
    figures = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    for file in ("alerts.yaml", "dashboard.json"):
        named = re.findall(
            r"kioku_\w+", (ROOT / "deploy/monitoring" / file).read_text("utf-8")
        )
        assert {re.sub("_(bucket|count|sum)$", "", one) for one in named} <= figures


async def test_outcomes_that_alerts_name_begin_with_zero(app: App) -> None:
    """Prometheus sees no increase in the first value of a figure."""
    async with serving_metrics(app.pool, "127.0.0.1", 0) as port:
        seen = values(await scrape(port))
    alerts = (ROOT / "deploy/monitoring/alerts.yaml").read_text("utf-8")
    named = re.findall(r'(kioku_\w+)\{(outcome|kind)=~?"([\w|]+)"\}', alerts)
    assert len(named) > 3
    for name, label, ones in named:
        for value in ones.split("|"):
            assert seen[name, ((label, value),)] == 0


async def test_failures_are_counted_by_their_kind(app: App) -> None:
    """A 429 adds to the counter of its method of Slack's, what is away to the errors."""
    async with serving_metrics(app.pool, "127.0.0.1", 0) as port:
        app.slack.fault("chat.startStream", error="ratelimited", retry_after=1, times=1)
        await app.ask(app.slack.place(), "I like ramen")
        app.fault(status=500, times=2)
        await app.ask(app.slack.place(), "I like ramen")
        answer_to(DiskFull())
        seen = values(await scrape(port))
    assert seen["kioku_slack_rate_limits_total", (("method", "chat.startStream"),)] == 1
    # The request, and the probe after it.
    assert seen["kioku_errors_total", (("kind", "model_down"),)] == 2
    assert seen["kioku_errors_total", (("kind", "database_away"),)] == 1


async def test_it_answers_while_postgresql_does_not(
    app: App, postgres: EmbeddedPostgres
) -> None:
    """A PostgreSQL that is silent leaves its figures out within two seconds; the others stay."""
    async with serving_metrics(app.pool, "127.0.0.1", 0) as port:
        await app.ask(app.slack.place(), "I like ramen")
        with frozen(postgres):
            seen = values(await scrape(port))
        assert seen["kioku_database_up", ()] == 0
        assert math.isnan(seen["kioku_messages_waiting", ()])
        assert seen["kioku_turns_total", (("outcome", "answered"),)] == 1
        async with asyncio.timeout(30):
            while values(await scrape(port))["kioku_database_up", ()] != 1:
                pass
