"""Streams of the HTTP side: an answer as server-sent events, with pauses and faults."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time

from aiohttp import web

from openai_double.control import Control, Exchange
from openai_double.responses import ResponseWriter
from openai_double.types import Json


class Dropped(Exception):
    """The connection was reset on purpose."""


async def pause(milliseconds: float) -> None:
    """Sleep for a number of milliseconds; zero or less returns at once."""
    if milliseconds > 0:
        await asyncio.sleep(milliseconds / 1000)


async def pause_from(began: float, milliseconds: float) -> None:
    """Sleep until so long after `began`, a time of `time.perf_counter`.

    So the pace of a model contains the time that the double needs to read a request.
    """
    passed = (time.perf_counter() - began) * 1000
    await pause(milliseconds - passed)


async def stream(
    request: web.Request,
    exchange: Exchange,
    writer: ResponseWriter,
    control: Control,
) -> web.StreamResponse:
    """Send an answer as server-sent events, with the pace and the fault that are set."""
    settings = control.settings
    limit = _limit(exchange)
    response = web.StreamResponse(headers={"cache-control": "no-cache"})
    response.content_type = "text/event-stream"
    response.charset = "utf-8"
    await response.prepare(request)
    sent = 0
    for event in writer.events(chunk_chars=settings.chunk_chars):
        piece = _text_in(event)
        if piece:
            if sent:
                await pause(control.settings.token_ms)
            else:
                await pause_from(exchange.began, settings.first_token_ms)
            if limit is not None and sent + len(piece) > limit:
                reset(request)
            sent += len(piece)
        data = json.dumps(event, ensure_ascii=False)
        control.record("event", exchange.endpoint, data)
        sse = f"event: {event['type']}\ndata: {data}\n\n"
        await response.write(sse.encode())
    if limit is not None:
        reset(request)
    await response.write_eof()
    return response


def _limit(exchange: Exchange) -> int | None:
    """After how many characters a fault breaks the connection; None if none does."""
    fault = exchange.fault
    if fault is None or fault.event is not None:
        return None
    return fault.break_after_chars


def _text_in(event: Json) -> str:
    """The piece of text or of arguments that an event brings."""
    delta = event.get("delta")
    return delta if isinstance(delta, str) else ""


def reset(request: web.Request) -> None:
    """Reset the connection, as a broken network would."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    raise Dropped
