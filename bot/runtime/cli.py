"""The `kioku` command."""

from __future__ import annotations

import argparse
import asyncio
import inspect
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from bot import VERSION
from bot.config import Settings, SettingsError, load_settings
from bot.logs import set_up_logging
from bot.runtime.output import quiet_without_reader
from bot.telemetry import disable_telemetry

_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

# The function of each command, in this package, and its help.
_COMMANDS = {
    "up": (
        "commands:up",
        "run everything here: real Slack if its tokens are set, else the playground",
    ),
    "setup": (
        "setup.terminal:set_up",
        "connect Kioku to your Slack workspace: asks for each token and checks it",
    ),
    "migrate": ("commands:migrate_database", "bring the database up to this version"),
    "run": ("commands:run", "run the app on a server, by Socket Mode or HTTP"),
    "doctor": ("", "check each part, and say what to do where one is not right"),
    "status": (
        "operations:status",
        "show versions, running processes, and counts of messages and jobs",
    ),
    "audit": ("operations:audit", "show who ran which command, when, and how it ended"),
    "failed": ("", "list failed jobs, run them again, or delete them"),
    "export": (
        "data_commands:export",
        "write everything about a person to a file",
    ),
    "erase": (
        "data_commands:erase",
        "erase a person: memories, conversation, settings; it cannot be undone",
    ),
    "purge": (
        "data_commands:purge",
        "delete every row of a workspace that uninstalled the app; it cannot be undone",
    ),
    "backup": (
        "backup_commands:backup",
        "write the database to a file, or the list of what exists in it",
    ),
    "restore": (
        "backup_commands:restore_backup",
        "restore a backup into an empty database, without what was forgotten since",
    ),
    "reembed": (
        "operations:reembed",
        "embed every memory again, after another KIOKU_EMBEDDING_MODEL was chosen",
    ),
}
_FAILED = {
    "list": (
        "operations:list_failed",
        "print the newest failed jobs: id, time, workspace, name",
    ),
    "retry": ("operations:retry_failed", "run failed jobs again"),
    "drop": ("operations:drop_failed", "delete failed jobs"),
}
# The others end by themselves and say what they did; only what went wrong is logged besides.
_LOGGED = ("up", "run", "migrate")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kioku", description="A Slack app that remembers the people it talks with."
    )
    parser.add_argument("--version", action="version", version=f"kioku {VERSION}")
    commands = _add(parser.add_subparsers(dest="command", metavar="COMMAND"), _COMMANDS)
    commands["run"].add_argument(
        "--role",
        choices=("all", "front", "worker"),
        default="all",
        help="front: receive and store; worker: answer and remember; any number of each",
    )
    _add_doctor(commands["doctor"])
    commands["audit"].add_argument(
        "--days", type=_days, default=7, help="how many days, from 1 to 60"
    )
    failed = _add(_verbs(commands["failed"]), _FAILED)
    for verb in ("retry", "drop"):
        failed[verb].add_argument(
            "ids", nargs="*", type=int, metavar="ID", help="ids printed by `kioku failed list`"
        )
        failed[verb].add_argument(
            "--all", dest="every", action="store_true", help="every failed job"
        )
    _add_data(commands)
    _add_backup(commands)
    return parser


def _verbs(command: argparse.ArgumentParser) -> _Commands:
    return command.add_subparsers(required=True, metavar="VERB")


def _add(
    commands: _Commands, table: Mapping[str, tuple[str, str]]
) -> dict[str, argparse.ArgumentParser]:
    """Add the commands of a table; return the parser of each."""
    added = {}
    for name, (function, help_text) in table.items():
        added[name] = commands.add_parser(name, help=help_text, description=help_text)
        added[name].set_defaults(function=function)
    return added


def _add_doctor(doctor: argparse.ArgumentParser) -> None:
    doctor.add_argument(
        "--live",
        action="store_true",
        help="try what is not documented, in one direct message, and delete what was posted",
    )
    doctor.add_argument("--user", metavar="U…", help="whose direct message --live may use")
    doctor.add_argument("--channel", metavar="D…", help="that direct message, if you know its id")
    doctor.add_argument("--yes", action="store_true", help="let --live begin without asking")


def _add_data(commands: Mapping[str, argparse.ArgumentParser]) -> None:
    export, erase, purge = (commands[name] for name in ("export", "erase", "purge"))
    export.add_argument("--out", type=Path, metavar="FILE", help="a new file; else it is printed")
    for command in (erase, purge):
        command.add_argument("--yes", action="store_true", help="do not ask for the id again")
    for command in (export, erase, purge):
        command.add_argument("--team", required=True, metavar="T…", help="the workspace's id")
    for command in (export, erase):
        command.add_argument("--user", required=True, metavar="U…", help="the person's id")
    commands["reembed"].add_argument(
        "--again", action="store_true", help="include memories already embedded with this model"
    )


def _add_backup(commands: Mapping[str, argparse.ArgumentParser]) -> None:
    backup, restore = commands["backup"], commands["restore"]
    backup.add_argument("file", nargs="?", type=Path, metavar="FILE", help="the file to write")
    restore.add_argument("file", type=Path, metavar="FILE", help="a file written by `kioku backup`")
    listed = "a list of what exists, without texts"
    backup.add_argument("--ids", type=Path, metavar="FILE", help=f"write {listed}")
    chosen = restore.add_mutually_exclusive_group()
    chosen.add_argument("--ids", type=Path, metavar="FILE", help=f"{listed}: the newest one")
    chosen.add_argument(
        "--accept-forgotten",
        action="store_true",
        help="without a list: what was forgotten since the backup comes back",
    )


def _days(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 60:
        return int(text)
    raise argparse.ArgumentTypeError(f"write a number from 1 to 60, not {text}")


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
        set_up_logging(level, settings.log_format)
        return _run(function, settings, chosen)
    except SettingsError as problem:
        return _refuse(problem)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _doctor(*, live: bool, user: str | None, channel: str | None, yes: bool) -> int:
    from bot.runtime.doctor import Trial, run_doctor

    set_up_logging("ERROR", "text")
    trial = Trial(user=user, channel=channel, agreed=yes) if live else None
    return asyncio.run(run_doctor(trial, partial(print, flush=True)))


def _run(function: str, settings: Settings, given: dict[str, Any]) -> int:
    # Only now: help and a wrong setting need not wait for the rest.
    from bot.runtime.startup import ArgumentError, StartError
    from memory import EmbeddedPostgresError, KiokuMemoryError

    module, _, name = function.partition(":")
    run = getattr(import_module(f"bot.runtime.{module}"), name)
    try:
        if inspect.iscoroutinefunction(run):
            asyncio.run(run(settings, **given))
        else:
            run(settings, **given)
    except (StartError, EmbeddedPostgresError, KiokuMemoryError) as problem:
        return _refuse(problem, 2 if isinstance(problem, ArgumentError) else 1)
    return 0


def _refuse(problem: Exception, code: int = 1) -> int:
    print(f"kioku: {problem}", file=sys.stderr)  # noqa: T201 - output of a command
    return code
