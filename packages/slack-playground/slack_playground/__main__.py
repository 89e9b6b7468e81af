"""`python -m slack_playground`: serve until told to stop."""

import argparse
import asyncio
import json
import os
import signal
import sys
import threading
from pathlib import Path

from slack_playground.http_delivery import check_loopback
from slack_playground.manifest import ManifestError, read_manifest
from slack_playground.records import comma_separated
from slack_playground.server import AddRoutes, facts, serve


def _delays(text: str) -> tuple[float, ...]:
    parts = comma_separated(text.replace(" ", ""))
    return tuple(map(float, parts))


def parser() -> argparse.ArgumentParser:
    """Return the options of the command."""
    parser = argparse.ArgumentParser(description="A Slack to run on this machine.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--manifest", type=Path, required=True, help="the app's manifest, YAML or JSON"
    )
    parser.add_argument(
        "--data-dir", type=Path, help="keep the workspace here (default: nowhere)"
    )
    parser.add_argument(
        "--retry-delays",
        type=_delays,
        default=(0.0, 60.0, 300.0),
        help="seconds before each retry of an event (default: 0,60,300)",
    )
    parser.add_argument(
        "--request-url",
        help="deliver by HTTP to this address of the app (default: Socket Mode)",
    )
    parser.add_argument(
        "--native-name", help="the app's name in its own script, for the page"
    )
    parser.add_argument(
        "--create-app-url", help="where the page's link to a real Slack leads"
    )
    parser.add_argument(
        "--setup-command", help="what the page says to run in a terminal then"
    )
    parser.add_argument(
        "--exit-with-parent",
        action="store_true",
        help="stop when standard input is closed",
    )
    return parser


async def _run(arguments: argparse.Namespace, add_model: AddRoutes | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if arguments.exit_with_parent:
        threading.Thread(target=_watch_input, args=(loop, stop), daemon=True).start()
    async with serve(
        read_manifest(arguments.manifest),
        port=arguments.port,
        data_dir=arguments.data_dir,
        retry_delays=arguments.retry_delays,
        add_model=add_model,
    ) as slack:
        if arguments.request_url is not None:
            slack.http.url = check_loopback(arguments.request_url)
            slack.deliveries.mode = "http"
        for name in ("native_name", "create_app_url", "setup_command"):
            slack.links[name] = getattr(arguments, name)
        sys.stdout.write(json.dumps(facts(slack)) + "\n")
        sys.stdout.flush()
        await stop.wait()


def _watch_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(0, 4096):
        continue
    loop.call_soon_threadsafe(stop.set)


def run(arguments: argparse.Namespace, add_model: AddRoutes | None = None) -> int:
    """Run the command; 0 after a clean stop, 1 with one sentence when it cannot start."""
    try:
        asyncio.run(_run(arguments, add_model))
    except (ManifestError, ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def main() -> int:
    """Run the playground alone."""
    return run(parser().parse_args())


if __name__ == "__main__":
    sys.exit(main())
