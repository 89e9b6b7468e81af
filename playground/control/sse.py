"""Server-Sent Events that notify the page of changes."""

import asyncio
import json
from contextlib import suppress

from aiohttp import web

from playground.updates import Updates

_PING_SECONDS = 15.0


async def stream_updates(request: web.Request, updates: Updates) -> web.StreamResponse:
    """Send every update as one event until the page disconnects or the server stops."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    )
    async with updates.listen() as queue:
        await response.prepare(request)
        await response.write(b": listening\n\n")
        with suppress(ConnectionError):
            while True:
                try:
                    update = await asyncio.wait_for(queue.get(), _PING_SECONDS)
                except TimeoutError:
                    await response.write(b": still here\n\n")
                    continue
                if update["changed"] == "stopped":
                    break
                await response.write(f"data: {json.dumps(update)}\n\n".encode())
    return response
