"""`python -m openai_double`: serve the double until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

from aiohttp import web

from openai_double.server import create_app
from openai_double.serving import serving


async def serve(app: web.Application, port: int) -> None:
    """Print the addresses as JSON, and serve until a signal."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    async with serving(app, port) as url:
        addresses = {"url": url, "openai_base_url": f"{url}/v1"}
        sys.stdout.write(json.dumps(addresses) + "\n")
        sys.stdout.flush()
        await stopped.wait()


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
