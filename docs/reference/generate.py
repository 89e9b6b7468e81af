"""Writes docs/reference/command-line.md again: ``python -m docs.reference.generate``.

What is between ``<!-- generated -->`` and ``<!-- end -->`` comes from the command's own parsers.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from bot.runtime.cli import _parser

PAGE = Path(__file__).with_name("command-line.md")
_BLOCK = re.compile(r"(?<=<!-- generated -->\n).*(?=<!-- end -->)", re.DOTALL)


def sentence(text: str) -> str:
    """Return text with a capital letter at its beginning and a full stop at its end."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", ":")) else f"{text}."


def subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the commands of a parser by name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the arguments of a command, without ``--help`` and without its commands."""
    skipped = (
        argparse._SubParsersAction,
        argparse._HelpAction,
        argparse._VersionAction,
    )
    return [action for action in parser._actions if not isinstance(action, skipped)]


def written(action: argparse.Action) -> str:
    """Return how an argument is written, such as ``--days DAYS``."""
    value = action.metavar or (action.choices and "{" + ",".join(action.choices) + "}")
    value = str(value or action.dest.upper())
    if not action.option_strings:
        return value + (" …" if action.nargs == "*" else "")
    if action.nargs == 0:
        return action.option_strings[-1]
    return (
        f"{action.option_strings[-1]} {f'[{value}]' if action.nargs == '?' else value}"
    )


def usage(name: str, parser: argparse.ArgumentParser) -> str:
    """Return a command with its arguments; brackets where one may be left out."""
    parts = [f"kioku {name}"]
    for action in arguments(parser):
        needed = action.required and action.nargs != "*"
        parts.append(written(action) if needed else f"[{written(action)}]")
    return " ".join(parts)


def command_line() -> str:
    """Return every command with its arguments."""
    found: list[str] = []
    for name, parser in commands(_parser()):
        found += [f"### `kioku {name}`", sentence(parser.description or "")]
        if listed := arguments(parser):
            found.append(f"```text\n{usage(name, parser)}\n```")
            lines = [f"- `{written(action)}`: {action.help}" for action in listed]
            found.append("\n".join(lines))
    return "\n\n".join(found)


def commands(
    parser: argparse.ArgumentParser,
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield each command that runs something, with its full name."""
    for name, command in subparsers(parser).items():
        verbs = subparsers(command)
        yield from ((f"{name} {verb}", one) for verb, one in verbs.items())
        if not verbs:
            yield name, command


def page() -> str:
    """Return the page as it should be."""
    return _BLOCK.sub(lambda _: f"\n{command_line()}\n\n", PAGE.read_text("utf-8"))


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
