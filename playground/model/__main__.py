"""`python -m playground.model`: serve the stand-in model until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

from aiohttp import web

from playground.model import create_model_app


async def serve(host: str, port: int) -> None:
    """Listen, print one JSON line with the addresses, and wait for a signal."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    runner = web.AppRunner(create_model_app(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        url = f"http://{host}:{runner.addresses[0][1]}"
        sys.stdout.write(json.dumps({"url": url, "openai_base_url": f"{url}/v1"}) + "\n")
        sys.stdout.flush()
        await stopped.wait()
    finally:
        await runner.cleanup()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m playground.model", description="A stand-in for OpenAI's API on loopback."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port, 0 for any free one")
    given = parser.parse_args()
    asyncio.run(serve(given.host, given.port))


if __name__ == "__main__":
    main()
