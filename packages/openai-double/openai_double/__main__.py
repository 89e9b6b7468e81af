"""`python -m openai_double`: serve the double until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

from aiohttp import web

from openai_double.server import create_app


async def serve(app: web.Application, port: int) -> None:
    """Print the addresses as JSON, and serve until a signal. A request ends with its client."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    runner = web.AppRunner(
        app, access_log=None, shutdown_timeout=1, handler_cancellation=True
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        _, port_used = runner.addresses[0]
        url = f"http://127.0.0.1:{port_used}"
        addresses = {"url": url, "openai_base_url": f"{url}/v1"}
        sys.stdout.write(json.dumps(addresses) + "\n")
        sys.stdout.flush()
        await stopped.wait()
    finally:
        await runner.cleanup()


def main(app: web.Application | None = None) -> None:
    """Read the arguments and serve `app`, by default the double alone."""
    parser = argparse.ArgumentParser(
        description="A double of OpenAI's API on loopback."
    )
    parser.add_argument("--port", type=int, default=0, help="port, 0 for any free one")
    given = parser.parse_args()
    asyncio.run(serve(app or create_app(), given.port))


if __name__ == "__main__":
    main()
