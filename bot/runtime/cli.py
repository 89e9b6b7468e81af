"""The `kioku` command."""

from __future__ import annotations

import argparse
import asyncio
import inspect
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from bot import VERSION
from bot.config import Settings, SettingsError, load_settings
from bot.logs import set_up_logging
from bot.runtime.output import quiet_without_reader
from bot.telemetry import disable_telemetry

# The function of each command, in this package, and its help.
_COMMANDS = {
    "up": (
        "commands:up",
        "run everything here: real Slack if its tokens are set, else the playground",
    ),
    "setup": (
        "setup:set_up",
        "connect Kioku to your Slack workspace: asks for each token and checks it",
    ),
    "migrate": ("commands:migrate_database", "bring the database up to this version"),
    "run": ("commands:run", "run the app on a server, by Socket Mode or HTTP"),
    "doctor": ("", "check each part, and say what to do where one is not right"),
    "export": (
        "data_commands:export",
        "write everything about a person to a file",
    ),
    "erase": (
        "data_commands:erase",
        "erase a person: memories, conversation, settings; it cannot be undone",
    ),
    "forgotten": (
        "forgotten_commands:forgotten",
        "print what was forgotten or erased since a time, as ids, for `kioku forget-again`",
    ),
    "forget-again": (
        "forgotten_commands:forget_from",
        "delete from a restored database what was forgotten or erased since its backup",
    ),
}
# The others end by themselves and say what they did; only what went wrong is logged besides.
_LOGGED = ("up", "run", "migrate")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kioku", description="A Slack app that remembers the people it talks with."
    )
    parser.add_argument("--version", action="version", version=f"kioku {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    added = {}
    for name, (function, help_text) in _COMMANDS.items():
        added[name] = commands.add_parser(name, help=help_text, description=help_text)
        added[name].set_defaults(function=function)
    added["run"].add_argument(
        "--role",
        choices=("all", "front", "worker"),
        default="all",
        help="front: receive and store; worker: answer and remember; any number of each",
    )
    added["migrate"].add_argument(
        "--yes",
        action="store_true",
        help="embed all memories again if KIOKU_EMBEDDING_MODEL has changed, without asking",
    )
    _add_doctor(added["doctor"])
    for name in ("export", "erase"):
        added[name].add_argument("--team", required=True, metavar="T…", help="the workspace's id")
        added[name].add_argument("--user", required=True, metavar="U…", help="the person's id")
    out = added["export"].add_argument("--out", type=Path, metavar="FILE")
    out.help = "a new file; else it is printed"
    added["erase"].add_argument("--yes", action="store_true", help="do not ask for the id again")
    added["forgotten"].add_argument(
        "--since",
        type=_moment,
        required=True,
        metavar="DATE",
        help="when the backup was begun: 2026-11-20 or 2026-11-20T03:00, in UTC",
    )
    added["forget-again"].add_argument(
        "file", type=Path, metavar="FILE", help="the output of `kioku forgotten`"
    )
    return parser


def _add_doctor(doctor: argparse.ArgumentParser) -> None:
    doctor.add_argument(
        "--live",
        action="store_true",
        help="try in Slack what is not documented, and delete what was posted",
    )
    doctor.add_argument("--user", metavar="U…", help="whose direct message --live may use")
    doctor.add_argument("--channel", metavar="C…", help="a channel of Kioku's that --live may use")
    doctor.add_argument("--yes", action="store_true", help="let --live begin without asking")


def _moment(text: str) -> datetime:
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"write a date such as 2026-11-20, not {text}") from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)


@quiet_without_reader
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. A problem is one sentence on standard error."""
    parser = _parser()
    chosen = vars(parser.parse_args(arguments))
    command, function = chosen.pop("command"), chosen.pop("function", "")
    if command is None:
        parser.print_help()
        return 0
    disable_telemetry()
    try:
        if command == "doctor":
            return _doctor(**chosen)
        settings = load_settings()
        level = settings.log_level if command in _LOGGED else "WARNING"
        set_up_logging(level)
        return _run(function, settings, chosen)
    except SettingsError as problem:
        return _refuse(problem)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _doctor(**given: Any) -> int:
    from bot.runtime.doctor import doctor

    set_up_logging("ERROR")
    return asyncio.run(doctor(**given))


def _run(function: str, settings: Settings, given: dict[str, Any]) -> int:
    # Only now: help and a wrong setting need not wait for the rest.
    from bot.runtime.problem import ArgumentProblem, Problem
    from memory import KiokuMemoryError

    module, _, name = function.partition(":")
    run = getattr(import_module(f"bot.runtime.{module}"), name)
    try:
        if inspect.iscoroutinefunction(run):
            asyncio.run(run(settings, **given))
        else:
            run(settings, **given)
    except (Problem, KiokuMemoryError) as problem:
        return _refuse(problem, 2 if isinstance(problem, ArgumentProblem) else 1)
    return 0


def _refuse(problem: Exception, code: int = 1) -> int:
    print(f"kioku: {problem}", file=sys.stderr)  # noqa: T201 - output of a command
    return code
