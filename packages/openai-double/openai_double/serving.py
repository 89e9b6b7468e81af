"""An application on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def serving(app: web.Application, port: int) -> AsyncIterator[str]:
    """Serve `app` on a port, 0 for any free one; yield its address.

    A request ends with its client.
    """
    runner = web.AppRunner(
        app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        _, port_used = runner.addresses[0]
        yield f"http://127.0.0.1:{port_used}"
    finally:
        await runner.cleanup()
