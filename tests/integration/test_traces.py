"""Traces by OTLP/HTTP: one message is one connected trace, named in JSON logs; no texts."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bot.logs import set_up_logging
from bot.runtime.traces import exporting_traces
from memory import trace_context
from tests.integration.app import App
from tests.loopback import serving

TEXT = "I like ramen and I live in Osaka."
TRACED = {"inbox", "turn", "begin", "model", "first token", "reply ready", "end"}
FORMED = {"formation", "extract", "verdict", "commit"}


@dataclass
class Received:
    """What the receiver was sent: its spans, and all of it as text."""

    spans: list[Span] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def names(self) -> set[str]:
        """Return the names of the spans."""
        return {span.name for span in self.spans}

    def attributes(self, name: str) -> dict[str, str]:
        """Return the attributes of the only span of a name."""
        [span] = [one for one in self.spans if one.name == name]
        return {one.key: one.value.string_value for one in span.attributes}

    def assert_connected(self) -> str:
        """Assert that all spans are one tree below the stored message; return the trace's id."""
        [trace] = {span.trace_id for span in self.spans}
        [root] = [span for span in self.spans if not span.parent_span_id]
        assert root.name == "inbox"
        parents = {span.parent_span_id for span in self.spans if span is not root}
        assert parents <= {span.span_id for span in self.spans}
        return trace.hex()


@asynccontextmanager
async def exported() -> AsyncIterator[Received]:
    """Export traces to a receiver on loopback that reads them as the protocol says.

    Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
    """
    received = Received()

    async def take(request: web.Request) -> web.Response:
        assert request.content_type == "application/x-protobuf"
        sent = ExportTraceServiceRequest.FromString(await request.read())
        received.texts.append(str(sent))
        received.spans += [
            span
            for resource in sent.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        body = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=body, content_type="application/x-protobuf")

    application = web.Application()
    application.router.add_post("/v1/traces", take)
    async with serving(application) as url, exporting_traces(f"{url}/v1/traces"):
        yield received


async def test_one_message_is_one_connected_trace(app: App) -> None:
    """From the inbox to what is remembered: one trace, with ids of workspace and turn, no text."""
    place = app.slack.place()
    async with exported() as received:
        message = await app.ask(place, TEXT)
        assert len(await app.form(message)) == 2
    trace = received.assert_connected()
    assert received.names() >= TRACED | FORMED
    assert any(name.startswith("slack ") for name in received.names())
    ids = {"team": app.slack.team_id, "turn": str(app.turn(message)["id"])}
    assert received.attributes("turn") == received.attributes("formation") == ids
    assert app.event(message)["traceparent"].split("-")[1] == trace
    told = " ".join(received.texts)
    for secret in ("ramen", "Osaka", place.user, place.channel, message.ts):
        assert secret not in told


async def test_each_message_has_a_trace_of_its_own(app: App) -> None:
    """Two messages of a thread are two traces; both are formed in the newer one's."""
    place = app.slack.place()
    async with exported() as received:
        first = await app.receive(place, "I like ramen")
        await app.receive(place, "I like soba", thread_ts=first.ts)
        await app.answering.drain(first.thread)
        await app.form(first)
    by_trace: dict[bytes, set[str]] = {}
    for span in received.spans:
        by_trace.setdefault(span.trace_id, set()).add(span.name)
    assert [names >= TRACED for names in by_trace.values()] == [True, True]
    assert sorted("formation" in names for names in by_trace.values()) == [False, True]


async def test_an_error_is_named_by_its_type_only(app: App) -> None:
    """A span that an error ends has the error's type; what the error says is not sent."""
    async with exported() as received:
        app.fault(status=400, times=1)
        await app.ask(app.slack.place(), TEXT)
    assert received.attributes("model")["error.type"] == "ReplyFailed"
    assert not any(span.events or span.status.message for span in received.spans)
    assert "ramen" not in " ".join(received.texts)


async def test_without_an_exporter_there_is_no_trace(app: App) -> None:
    """Nothing is traced, and nothing of a trace is stored, unless an endpoint is set."""
    message = await app.ask(app.slack.place(), TEXT)
    assert trace_context() is None
    assert app.event(message)["traceparent"] is None
    assert app.turn(message)["traceparent"] is None


@pytest.fixture
def root_logger() -> Iterator[None]:
    """Put logging back after the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    root.handlers, root.level = handlers, level


@pytest.mark.usefixtures("root_logger")
async def test_every_line_of_a_message_names_its_turn_and_trace(
    app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is logged while a message is answered and formed has team, turn and trace as fields."""
    set_up_logging("INFO", "json")
    place = app.slack.place()
    async with exported() as received:
        capsys.readouterr()
        app.fault(status=500, times=1)
        app.slack.fault("chat.startStream", error="ratelimited", retry_after=1, times=1)
        message = await app.ask(place, TEXT)
        while app.turn(message)["ended_at"] is None:
            await app.answering.drain(message.thread)
        await app.form(message)
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    trace = received.assert_connected()
    ours = [line for line in lines if line["logger"].startswith(("bot.", "memory."))]
    assert {line["logger"] for line in ours} >= {"bot.pipeline.reply", "bot.pipeline.formation"}
    ids = (app.slack.team_id, str(app.turn(message)["id"]), trace)
    for line in ours:
        assert (line["team"], line["turn"], line["trace"]) == ids, line
    assert "ramen" not in json.dumps(lines)
    logging.getLogger("bot.test").info("Outside of a message.")
    [outside] = map(json.loads, capsys.readouterr().err.splitlines())
    assert set(outside) == {"time", "level", "logger", "message"}
