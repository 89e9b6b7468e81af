"""The `kioku` command."""

from __future__ import annotations

import argparse
import asyncio
import inspect
import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from bot import VERSION
from bot.config import load_settings, use_provider_keys
from bot.logs import set_up_logging
from bot.network import use_network_settings
from bot.runtime.problems import explained
from bot.telemetry import disable_telemetry

# The other commands print what they did and what went wrong.
_LOGGED = ("up", "run", "migrate")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kioku", description="A Slack app that remembers the people it talks with."
    )
    parser.add_argument("--version", action="version", version=f"kioku {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, function: str, text: str) -> Callable[..., argparse.Action]:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(function=function)
        return added.add_argument

    text = "run everything here: real Slack if its tokens are set, else the playground"
    add = command("up", "local:up", text)
    text = "print the playground's address only, and open no browser"
    add("--no-browser", action="store_false", dest="browser", help=text)
    text = "connect Kioku to your Slack workspace: asks for each token and checks it"
    add = command("setup", "setup:set_up", text)
    text = "print the address of Slack's form, and open no browser"
    add("--no-browser", action="store_false", dest="browser", help=text)
    text = "print the app's manifest as JSON, for Slack's own command-line tool"
    command("manifest", "manifest:print_manifest", text)
    add = command(
        "migrate", "migration:migrate", "bring the database up to this version"
    )
    text = "embed all memories again if KIOKU_EMBEDDING_MODEL has changed"
    add("--yes", action="store_true", help=text)
    command("run", "service:run", "run the app on a server, by Socket Mode or HTTP")
    text = "check each part, and say what to do where one is not right"
    command("doctor", "checks:doctor", text)
    text = "print everything about a person, as JSON"
    export = command("export", "data_commands:export", text)
    text = "erase a person: memories, conversation, settings; it cannot be undone"
    erase = command("erase", "data_commands:erase", text)
    for add in (export, erase):
        add("--team", metavar="T…", help="the workspace's id", required=True)
        add("--user", metavar="U…", help="the person's id", required=True)
    erase("--yes", action="store_true", help="do not ask for the id again")
    text = "print what was forgotten or erased since a time, as ids, for `kioku forget-again`"
    add = command("forgotten", "data_commands:forgotten", text)
    text = "when the backup was begun: 2026-11-20 or 2026-11-20T03:00, in UTC"
    add("--since", type=_moment, required=True, metavar="DATE", help=text)
    text = (
        "delete from a restored database what was forgotten or erased since its backup"
    )
    add = command("forget-again", "data_commands:forget_again", text)
    add("file", type=Path, metavar="FILE", help="the output of `kioku forgotten`")
    return parser


def _moment(text: str) -> datetime:
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            "write a date such as 2026-11-20, or with a time, in UTC, 2026-11-20T03:00."
        ) from None
    if given.tzinfo is None:
        given = given.replace(tzinfo=UTC)
    if given > datetime.now(UTC):
        raise argparse.ArgumentTypeError(
            "it is in the future: write when the backup was begun, in UTC."
        )
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. A problem is one sentence on standard error."""
    parser = _parser()
    chosen = vars(parser.parse_args(arguments))
    command = chosen.pop("command")
    if command is None:
        parser.print_help()
        return 0
    disable_telemetry()
    # JSON and the sentences are UTF-8, whatever the locale is.
    sys.stdout.reconfigure(encoding="utf-8", line_buffering=True)  # type: ignore[union-attr] # typeshed: any TextIO
    try:
        settings = load_settings()
        use_network_settings()
        use_provider_keys(settings)
        set_up_logging(settings.log_level if command in _LOGGED else "CRITICAL")
        # Imported only now, so that help and a wrong setting do not wait for it.
        module, name = chosen.pop("function").split(":")
        run = getattr(import_module(f"bot.runtime.{module}"), name)
        code = run(settings, **chosen)
        if inspect.iscoroutine(code):
            code = asyncio.run(code)
        sys.stdout.flush()
    except asyncio.CancelledError:  # after a signal
        return 0
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # as of `yes` in `yes | head -1`
        # Source: https://docs.python.org/3/library/signal.html#note-on-sigpipe
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception as error:
        sentence = explained(error)
        if sentence is None:
            raise
        print(f"kioku: {sentence}", file=sys.stderr)
        return 1
    return code or 0
