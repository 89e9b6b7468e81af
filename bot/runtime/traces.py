"""Traces by OpenTelemetry, sent by OTLP/HTTP: spans of the steps of one message, and no texts.

The steps are those that the app measures with `memory.step`. The SDK comes with
the extra ``traces`` and is imported only here. Its provider is not made the global one:
what libraries would trace, texts among it, reaches no exporter.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from opentelemetry import context as contexts
from opentelemetry.trace import Span, Status, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bot import VERSION
from bot.logs import current_log_fields
from bot.runtime.startup import StartError
from memory import traced

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_FIRST = "inbox"
_ATTRIBUTES = ("team", "turn")
_TIMEOUT_SECONDS = 5
_PROPAGATOR = TraceContextTextMapPropagator()


class MessageTracer:
    """Opens spans in the trace of a message, which begins where the message is stored.

    Steps outside of a trace have no span. A span has the ids of the workspace and of the turn, and
    the type of the error that ended it.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("kioku")

    @contextmanager
    def span(self, name: str, began_at: float | None = None) -> Iterator[None]:
        """Return a span for the block, begun now or at a Unix time."""
        if name != _FIRST and not get_current_span().get_span_context().is_valid:
            yield
            return
        with self._tracer.start_as_current_span(
            name,
            start_time=None if began_at is None else int(began_at * 1e9),
            # Both would write the exception's text.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except BaseException as error:
                span.set_status(Status(StatusCode.ERROR))
                span.set_attribute("error.type", type(error).__name__)
                raise
            finally:
                _describe(span)

    def context(self) -> str | None:
        """Return the context of the current span as a ``traceparent``."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        return carrier.get("traceparent")

    @contextmanager
    def within(self, context: str) -> Iterator[None]:
        """Let the spans of the block be children of another process's span."""
        token = contexts.attach(_PROPAGATOR.extract({"traceparent": context}))
        try:
            yield
        finally:
            contexts.detach(token)


def _describe(span: Span) -> None:
    fields = current_log_fields()
    span.set_attributes({name: fields[name] for name in _ATTRIBUTES if name in fields})


@asynccontextmanager
async def exporting_traces(endpoint: str) -> AsyncIterator[None]:
    """Send the spans of this process to `endpoint`; on leaving, send what is left.

    Raises `StartError` without the extra.
    """
    # `bot.telemetry` switched the SDK off for whatever else would use it.
    os.environ["OTEL_SDK_DISABLED"] = "false"
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise StartError(
            "KIOKU_TRACES_ENDPOINT needs the OpenTelemetry SDK: run `pip install '.[traces]'` in"
            " the folder of Kioku's source."
        ) from None
    resource = Resource({"service.name": "kioku", "service.version": VERSION})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint, timeout=_TIMEOUT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        with traced(MessageTracer(provider)):
            yield
    finally:
        await asyncio.to_thread(provider.shutdown)
