"""The `kioku` command."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import TypeAlias

from bot.config import Settings, SettingsError, load_settings
from bot.logs import set_up_logging

Command: TypeAlias = Callable[[Settings], None]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kioku", description="A Slack app that remembers the people it talks with."
    )
    parser.add_argument("--version", action="version", version=f"kioku {version('kioku')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help_text in (
        ("up", "run everything here: real Slack if its tokens are set, else the playground"),
        ("run", "run the app on a server, by Socket Mode or HTTP"),
        ("migrate", "bring the database up to this version"),
    ):
        commands.add_parser(name, help=help_text, description=help_text)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. A problem is one sentence on standard error."""
    chosen = _parser().parse_args(arguments).command
    try:
        settings = load_settings()
        set_up_logging(settings.log_level, settings.log_format)
        return _run(chosen, settings)
    except SettingsError as problem:
        return _refuse(problem)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _run(chosen: str, settings: Settings) -> int:
    # Only now: help and a wrong setting need not wait for all that the app is made of.
    from bot import commands
    from bot.service import StartError
    from memory import EmbeddedPostgresError, KiokuMemoryError

    try:
        if chosen == "migrate":
            commands.migrate_database(settings)
        else:
            asyncio.run(_until_stopped(settings, local=chosen == "up"))
    except (StartError, EmbeddedPostgresError, KiokuMemoryError) as problem:
        return _refuse(problem)
    return 0


def _refuse(problem: Exception) -> int:
    print(f"kioku: {problem}", file=sys.stderr)  # noqa: T201 - a command speaks
    return 1


async def _until_stopped(settings: Settings, *, local: bool) -> None:
    from bot import commands

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await (commands.up if local else commands.run)(settings, stop)
