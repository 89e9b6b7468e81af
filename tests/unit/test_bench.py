"""What the bench measures without a stack, and what it says of it."""

from __future__ import annotations

import json
import random
import statistics
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bench import report
from bench.costs import tokens
from bench.front_import import imported
from bench.ground import Ground
from bench.metrics import GOALS, Goal, undocumented
from bench.plan import FULL, QUICK, USUAL, chosen
from bench.replies import Asked, Replies
from bench.results import LATEST, interval, spread, write
from bench.side_by_side import Measured
from bench.systems import Times
from bench.wire import Reading, Said
from memory import EmbeddedPostgres
from tests.loopback import serving


def test_the_front_is_imported_in_a_fresh_process() -> None:
    """Its time and its own memory are told, not the memory of whatever process starts it."""
    ballast = bytearray(b"x" * 300_000_000)
    seconds, megabytes = imported()
    assert seconds > 0
    assert 0 < megabytes < len(ballast) / 1e6, "It is the memory of the bench."


def test_the_newest_results_are_in_shape_and_every_metric_is_documented() -> None:
    """A moment, a machine, and one flat object of figures, each of which the page explains."""
    result = json.loads(LATEST.read_text("utf-8"))
    assert {"measured_at", "machine", "metrics"} <= result.keys()
    assert all(isinstance(value, int | float) for value in result["metrics"].values())
    assert undocumented(result["metrics"]) == []
    assert undocumented({goal.metric: 0 for goal in GOALS}) == []


def test_the_page_and_both_readmes_say_what_was_measured() -> None:
    """They are what the newest results make of them."""
    for path, text in report.written(json.loads(LATEST.read_text("utf-8"))).items():
        assert path.read_text("utf-8") == text, f"{path}: run `python -m bench.report`."


def test_a_goal_is_met_at_its_bound_and_missed_beyond() -> None:
    """Most and least both count the bound as met."""
    most, least = (Goal(metric="m", kind=kind, bound=8) for kind in ("most", "least"))
    assert [most.met(8), most.met(8.1), least.met(8), least.met(7.9)] == [True, False, True, False]


def test_a_missed_goal_and_a_leading_peer_need_a_reason() -> None:
    """Both are found, and what has no reason is named."""
    metrics = {"turn_overhead_ms_p50": 13.0, "failed_share": 0.0, "mem0_turn_overhead_ms_p50": 2.0}
    assert report.missed(metrics) == ["turn_overhead_ms_p50"]
    assert report.led(metrics) == ["turn_overhead_ms_p50"]
    assert report.unexplained(metrics) == []
    assert report.reason_for("bench_seconds", report.reasons()) is None


@pytest.mark.parametrize(
    ("environment", "plan"), [({}, USUAL), ({"QUICK": "1"}, QUICK), ({"FULL": "1"}, FULL)]
)
def test_the_plan_is_chosen_by_the_environment(environment: dict[str, str], plan: object) -> None:
    """QUICK and FULL, else the usual one; only the quick one has fewer than five rounds."""
    assert chosen(environment) is plan
    assert min(USUAL.rounds, USUAL.crowd_rounds, FULL.rounds) >= 5


def test_an_interval_holds_the_median_and_is_wider_for_unlike_rounds() -> None:
    """Whole rounds are drawn, so rounds that differ widen it."""
    draw = random.Random(3)
    alike = [[draw.gauss(300, 5) for _ in range(10)] for _ in range(6)]
    unlike = [[value + 20 * number for value in one] for number, one in enumerate(alike)]
    low, high = interval(alike)
    wide_low, wide_high = interval(unlike)
    assert low <= statistics.median([value for one in alike for value in one]) <= high
    assert wide_high - wide_low > 5 * (high - low)
    assert interval(alike) == (low, high), "It is drawn alike each time."


def test_what_failed_is_counted_and_not_timed() -> None:
    """A failed turn has no time, and its share is told."""
    measured = Measured()
    measured.take("floor", 20, [Times(ready=300.0)] * 20)
    measured.take("articles", 20, [Times(ready=900.0, made=400.0)] * 15 + [None] * 5)
    metrics = measured.metrics()
    assert metrics["articles_failed_share_20"] == 0.25
    assert metrics["articles_reply_ready_ratio_20"] == 3.0
    assert metrics["articles_reply_made_ms_20_p50"] == 400.0
    assert metrics["articles_turn_overhead_ms_20_p95"] == 600.0
    assert undocumented(metrics) == []


def test_statements_and_round_trips_are_read_off_the_wire() -> None:
    """In whatever pieces the bytes come: a pipeline of two statements is one round trip."""

    def message(kind: bytes, body: bytes = b"") -> bytes:
        return kind + (len(body) + 4).to_bytes(4, "big") + body

    started = (8).to_bytes(4, "big") + (196_608).to_bytes(4, "big")
    extended = message(b"P", b"QQEES\0") + message(b"B", b"SSS") + message(b"E", b"\0\0\0\0\0")
    sent = started + extended + extended + message(b"S") + message(b"Q", b"SELECT 1\0")
    for size in (1, 7, len(sent)):
        said = Said()
        reading = Reading(said)
        for begin in range(0, len(sent), size):
            reading.take(sent[begin : begin + size])
        assert (said.statements, said.round_trips) == (3, 2)


def test_tokens_are_counted_for_words_marks_and_other_characters() -> None:
    """Four letters of a word and a run of marks are one, three characters of Japanese two."""
    assert tokens("memories") == 2
    assert tokens('{"a": 1}') == 5
    assert tokens("技術の話です") == 4
    assert tokens("、。") == 2


def test_results_are_written_with_their_machine(tmp_path: Path) -> None:
    """The file says when, on what and by which plan, and keeps the metrics in order."""
    path = tmp_path / "results" / "latest.json"
    write({**spread("b", [1.0, 2.0, 3.0]), "a": 1}, path, plan="quick")
    result = json.loads(path.read_text("utf-8"))
    assert list(result["metrics"]) == ["a", "b_p50", "b_p95"]
    assert (result["plan"], result["machine"]["cores"] > 0) == ("quick", True)


async def test_a_reply_is_timed_by_the_calls_that_show_and_end_it(tmp_path: Path) -> None:
    """The status line, the first words and the end of a stream or of a post, each of its thread."""
    record = [
        _call(1, "assistant.threads.setStatus", 10.0, channel_id="D1", thread_ts="9.5"),
        _call(2, "chat.startStream", 10.2, "ratelimited", channel="D1", thread_ts="9.5"),
        _call(3, "chat.startStream", 10.3, channel="D1", thread_ts="9.5", markdown_text="He"),
        _call(4, "chat.postMessage", 10.4, channel="D2", thread_ts="9.6", text="Whole"),
        _call(5, "chat.stopStream", 10.5, channel="D1", ts="77.1", markdown_text="llo"),
        _call(6, "chat.postMessage", 99.0, channel="D1", thread_ts="9.5", text="Remembered."),
    ]

    async def calls(_request: web.Request) -> web.Response:
        return web.json_response({"calls": record, "last": 6})

    app = web.Application()
    app.router.add_get("/_playground/calls", calls)
    async with serving(app) as url, aiohttp.ClientSession() as http:
        ground = Ground(
            postgres=EmbeddedPostgres(tmp_path),
            info={"url": url},
            model_url="",
            http=http,
            folder=tmp_path,
        )
        streamed, posted = Asked("D1", "9.5"), Asked("D2", "9.6")
        one, other = await Replies(ground, 0).of([streamed, posted])
    assert one.text.startswith("Hello")
    assert [round(value or 0) for value in (one.sign, one.first, one.ready)] == [501, 801, 1001]
    assert (other.text, round(other.ready or 0), other.first) == ("Whole", 801, other.ready)


def _call(number: int, method: str, time: float, outcome: str = "ok", **args: str) -> Any:
    result = {"ok": True, "ts": "77.1"} if method == "chat.startStream" else {"ok": True}
    return {
        "number": number,
        "method": method,
        "args": args,
        "time": time,
        "ms": 1.0,
        "outcome": outcome,
        "result": result if outcome == "ok" else None,
    }
