"""The `kioku` command."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

from bot.config import Settings, SettingsError, load_settings
from bot.logs import set_up_logging
from bot.telemetry import disable_telemetry

_ENDING = (
    *("setup", "status", "failed", "export", "erase", "purge"),
    *("reembed", "policy", "feedback", "eval"),
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kioku", description="A Slack app that remembers the people it talks with."
    )
    parser.add_argument("--version", action="version", version=f"kioku {version('kioku')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, help_text in (
        ("up", "run everything here: real Slack if its tokens are set, else the playground"),
        ("setup", "connect Kioku to your Slack workspace: asks for each token and checks it"),
        ("migrate", "bring the database up to this version"),
    ):
        commands.add_parser(name, help=help_text, description=help_text)
    _add_run(commands)
    _add_doctor(commands)
    _add_operations(commands)
    _add_person(commands)
    _add_reembed(commands)
    _add_feedback(commands)
    _add_policy(commands)
    _add_eval(commands)
    return parser


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    help_text = "run the app on a server, by Socket Mode or HTTP"
    run = commands.add_parser("run", help=help_text, description=help_text)
    run.add_argument(
        "--role",
        choices=("all", "front", "worker"),
        default="all",
        help="front: receive and store; worker: answer and remember; any number of each",
    )


def _add_doctor(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    help_text = "check each part, and say what to do where one is not right"
    doctor = commands.add_parser("doctor", help=help_text, description=help_text)
    doctor.add_argument(
        "--live",
        action="store_true",
        help="try what is not documented, in one direct message, and delete what was posted",
    )
    doctor.add_argument("--user", metavar="U…", help="whose direct message --live may use")
    doctor.add_argument("--channel", metavar="D…", help="that direct message, if you know its id")
    doctor.add_argument("--yes", action="store_true", help="let --live begin without asking")


def _add_operations(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    status_text = "show versions, running processes, and counts of messages and jobs"
    commands.add_parser("status", help=status_text, description=status_text)
    help_text = "list failed jobs, run them again, or delete them"
    failed = commands.add_parser("failed", help=help_text, description=help_text)
    verbs = failed.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, verb_text in (
        ("list", "print the newest failed jobs: id, time, workspace, name"),
        ("retry", "run failed jobs again"),
        ("drop", "delete failed jobs"),
    ):
        one = verbs.add_parser(verb, help=verb_text, description=verb_text)
        if verb != "list":
            one.add_argument("ids", nargs="*", type=int, metavar="ID", help="from the list")
            one.add_argument("--all", action="store_true", help="every failed job")


def _add_reembed(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    help_text = "embed every memory anew, after another KIOKU_EMBEDDING_MODEL was chosen"
    reembed = commands.add_parser("reembed", help=help_text, description=help_text)
    reembed.add_argument("--again", action="store_true", help="also what is of this model already")


def _add_person(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    export_text = "write everything about a person to a file they can import"
    export = commands.add_parser("export", help=export_text, description=export_text)
    export.add_argument("--out", type=Path, metavar="FILE", help="a new file; else it is printed")
    erase_text = "erase a person: memories, conversation, settings; it cannot be undone"
    erase = commands.add_parser("erase", help=erase_text, description=erase_text)
    erase.add_argument("--yes", action="store_true", help="without typing the id again")
    for command in (export, erase):
        command.add_argument("--team", required=True, metavar="T…", help="the workspace's id")
        command.add_argument("--user", required=True, metavar="U…", help="the person's id")
    purge_text = "delete every row of a workspace that uninstalled the app; it cannot be undone"
    purge = commands.add_parser("purge", help=purge_text, description=purge_text)
    purge.add_argument("--team", required=True, metavar="T…", help="the workspace's id")
    purge.add_argument("--yes", action="store_true", help="without typing the id again")


def _add_feedback(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    help_text = "list what people thought of replies, with their comments and no message"
    feedback = commands.add_parser("feedback", help=help_text, description=help_text)
    feedback.add_argument(
        "--since", type=_moment, metavar="DATE", help="only since then: 2026-11-20, in UTC"
    )
    feedback.add_argument(
        "--format", choices=("text", "jsonl", "csv"), default="text", help="what to print"
    )


def _moment(text: str) -> datetime:
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"write a date such as 2026-11-20, not {text}") from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def _add_policy(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    help_text = "say who may use Kioku in one workspace, where, and with what"
    policy = commands.add_parser("policy", help=help_text, description=help_text)
    verbs = policy.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, verb_text in (
        ("show", "print what applies, and what is only this workspace's"),
        ("set", "choose for this workspace; what is not named stays"),
        ("clear", "choose nothing: what the settings say applies again"),
    ):
        one = verbs.add_parser(verb, help=verb_text, description=verb_text)
        one.add_argument("--team", required=True, metavar="T…", help="the workspace's id")
        if verb != "set":
            continue
        one.add_argument("--channels", metavar="C…,C…", help="or `all`, or `default`")
        one.add_argument("--people", metavar="U…,U…", help="or `all`, or `default`")
        one.add_argument("--guests", choices=("on", "off", "default"))
        one.add_argument("--web-search", choices=("on", "off", "default"))
        one.add_argument("--retention-days", metavar="DAYS", help="or `default`")


def _add_eval(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    help_text = "measure how well the configured model forms memories, with written cases"
    measured = commands.add_parser("eval", help=help_text, description=help_text)
    measured.add_argument("--cases", type=Path, default=Path("evals"), metavar="FOLDER")
    measured.add_argument("--language", action="append", default=[], help="such as en; repeatable")
    measured.add_argument(
        "--held-out",
        nargs="?",
        const="only",
        choices=("only", "without"),
        help="only the held-out cases, or all without them",
    )
    measured.add_argument("--concurrency", type=_at_once, default=4, help="cases at a time")
    measured.add_argument(
        "--output", type=Path, metavar="FILE", help="else FOLDER/results/DATE-MODEL.md"
    )
    for way in ("input", "output"):
        measured.add_argument(
            f"--{way}-price", type=float, metavar="PRICE", help=f"of a million {way} tokens"
        )


def _at_once(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 100:
        return int(text)
    raise argparse.ArgumentTypeError(f"write a number from 1 to 100, not {text}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. A problem is one sentence on standard error."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.command is None:
        parser.print_help()
        return 0
    disable_telemetry()
    if chosen.command == "doctor":
        return _doctor(chosen)
    return _command(chosen)


def _doctor(chosen: argparse.Namespace) -> int:
    from bot.runtime.doctor import Trial, run_doctor

    set_up_logging("ERROR", "text")
    trial = Trial(user=chosen.user, channel=chosen.channel, agreed=chosen.yes)
    try:
        return asyncio.run(run_doctor(trial if chosen.live else None, partial(print, flush=True)))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _command(chosen: argparse.Namespace) -> int:
    try:
        settings = load_settings()
        # A command that ends by itself says what it did; only what went wrong is logged besides.
        level = "WARNING" if chosen.command in _ENDING else settings.log_level
        set_up_logging(level, settings.log_format)
        return _run(chosen, settings)
    except SettingsError as problem:
        return _refuse(problem)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _run(chosen: argparse.Namespace, settings: Settings) -> int:
    # Only now: help and a wrong setting need not wait for the rest.
    from bot.runtime import commands, operations, person_commands, policy_command
    from bot.runtime.startup import StartError
    from memory import EmbeddedPostgresError, KiokuMemoryError

    try:
        if chosen.command == "setup":
            from bot.runtime.setup.terminal import set_up

            set_up(settings)
        elif chosen.command == "migrate":
            commands.migrate_database(settings)
        elif chosen.command == "status":
            operations.status(settings)
        elif chosen.command == "failed":
            every = getattr(chosen, "all", False)
            operations.failed(settings, chosen.verb, getattr(chosen, "ids", ()), every=every)
        elif chosen.command == "export":
            person_commands.export(settings, chosen.team, chosen.user, chosen.out)
        elif chosen.command == "erase":
            person_commands.erase(settings, chosen.team, chosen.user, agreed=chosen.yes)
        elif chosen.command == "purge":
            from bot.runtime.purge_command import purge

            purge(settings, chosen.team, agreed=chosen.yes)
        elif chosen.command == "reembed":
            person_commands.reembed(settings, again=chosen.again)
        elif chosen.command == "feedback":
            from bot.runtime.feedback_command import feedback

            feedback(settings, chosen.since, chosen.format)
        elif chosen.command == "policy":
            policy_command.run(settings, chosen.verb, chosen.team, policy_command.asked(chosen))
        elif chosen.command == "eval":
            _evaluate(chosen, settings)
        elif chosen.command == "up":
            asyncio.run(_until_stopped(partial(commands.up, settings)))
        else:
            asyncio.run(_until_stopped(partial(commands.run, settings, role=chosen.role)))
    except (StartError, EmbeddedPostgresError, KiokuMemoryError) as problem:
        return _refuse(problem)
    return 0


def _evaluate(chosen: argparse.Namespace, settings: Settings) -> None:
    from bot.runtime.evaluation.run import Options, evaluate
    from bot.runtime.evaluation.usage import Prices

    options = Options(
        cases=chosen.cases,
        languages=tuple(chosen.language),
        held_out=chosen.held_out,
        concurrency=chosen.concurrency,
        output=chosen.output,
        prices=Prices(tokens_in=chosen.input_price, tokens_out=chosen.output_price),
    )
    evaluate(settings, options)


def _refuse(problem: Exception) -> int:
    print(f"kioku: {problem}", file=sys.stderr)  # noqa: T201 - a command speaks
    return 1


async def _until_stopped(command: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await command(stop)
