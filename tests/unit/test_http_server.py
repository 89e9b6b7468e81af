"""The HTTP server of the app: how it stops."""

from __future__ import annotations

import asyncio
import socket

import pytest
from aiohttp import web

from bot.runtime.http_server import serving


@pytest.mark.parametrize("steps", range(7))
async def test_a_connection_at_the_end_is_closed_and_not_waited_for(
    steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However far asyncio has got with a new connection when the server stops."""
    for name in ("HEADER_SECONDS", "_LAST_REQUESTS_SECONDS"):
        monkeypatch.setattr(f"bot.runtime.http_server.{name}", 600.0)
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)
        async with asyncio.timeout(60):
            async with serving(web.Application(), "127.0.0.1", 0) as port:
                client.connect_ex(("127.0.0.1", port))
                for _ in range(steps):
                    await asyncio.sleep(0)
            try:
                received = await loop.sock_recv(client, 1)
            except ConnectionResetError:
                received = b""
    assert received == b""
