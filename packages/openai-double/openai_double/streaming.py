"""Streams of the HTTP side: an answer as server-sent events, with pauses and faults."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from typing import Any

from aiohttp import web

from openai_double.chat import ChatWriter
from openai_double.control import Control, Exchange
from openai_double.responses import ResponseWriter


class Dropped(Exception):
    """The connection was reset on purpose."""


async def pause(milliseconds: float) -> None:
    """Sleep for a number of milliseconds; zero or less returns at once."""
    if milliseconds > 0:
        await asyncio.sleep(milliseconds / 1000)


async def stream(
    request: web.Request,
    exchange: Exchange,
    writer: ResponseWriter | ChatWriter,
    control: Control,
) -> web.StreamResponse:
    """Send an answer as server-sent events, with the pace and the fault that are set."""
    settings, fault, named = control.settings, exchange.fault, exchange.endpoint == "responses"
    limit = fault.break_after_chars if fault and fault.event is None else None
    response = web.StreamResponse(headers={"cache-control": "no-cache"})
    response.content_type = "text/event-stream"
    response.charset = "utf-8"
    await response.prepare(request)
    sent, first = 0, True
    for event in writer.events(chunk_chars=settings.chunk_chars):
        piece = _text_in(event)
        if piece:
            await pause(settings.first_token_ms if first else settings.token_ms)
            first = False
            if limit is not None and sent + len(piece) > limit:
                reset(request)
            sent += len(piece)
        data = json.dumps(event, ensure_ascii=False)
        control.record("event", exchange.endpoint, data)
        await response.write(_as_sse(data, event["type"] if named else None))
    if limit is not None:
        reset(request)
    if not named:
        await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


def _text_in(event: dict[str, Any]) -> str:
    """The piece of text or of arguments that an event brings."""
    delta = event.get("delta")
    if isinstance(delta, str):
        return delta
    for choice in event.get("choices", []):
        piece: str = choice["delta"].get("content") or ""
        for call in choice["delta"].get("tool_calls", []):
            piece += call["function"]["arguments"]
        return piece
    return ""


def _as_sse(data: str, name: str | None) -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {data}\n\n".encode()


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
