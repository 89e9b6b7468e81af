"""Writes the generated parts of the reference: ``python -m docs.reference.generate``.

A page keeps its own words; what is between ``<!-- generated: NAME -->`` and ``<!-- end -->`` is
replaced. ``make docs-reference`` runs it.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from slack_sdk.web.async_client import AsyncWebClient

from bench import scaling
from bot.runtime.cli import _parser
from bot.runtime.metrics import COUNTERS, GAUGES
from docs.reference.slack_reasons import EVENTS, SCOPES
from memory import LEVEL_FIELDS, SCHEMAS
from memory.model.schemas import SUBJECT_FIELDS
from slack_playground.web_api.methods import load_methods

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "reference"
_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_NONE = "–"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def code(text: str) -> str:
    """Return text as inline code; a dash for none."""
    return f"`{text}`" if text else _NONE


def sentence(text: str) -> str:
    """Return text with a capital letter at its beginning and a full stop at its end."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", ":")) else f"{text}."


# --- the kioku command -------------------------------------------------------------------------


def subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the commands of a parser by name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the arguments of a command, without ``--help`` and without its commands."""
    skipped = (argparse._SubParsersAction, argparse._HelpAction, argparse._VersionAction)
    return [action for action in parser._actions if not isinstance(action, skipped)]


def written(action: argparse.Action) -> str:
    """Return how an argument is written, such as ``--days DAYS``."""
    value = action.metavar or (action.choices and "{" + ",".join(action.choices) + "}")
    value = str(value or action.dest.upper())
    if not action.option_strings:
        return value + (" …" if action.nargs == "*" else "")
    if action.nargs == 0:
        return action.option_strings[-1]
    return f"{action.option_strings[-1]} {f'[{value}]' if action.nargs == '?' else value}"


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
            rows = [
                (code(written(action)), action.help or "", default(action)) for action in listed
            ]
            found.append(table(("Argument", "What it is", "Default"), rows))
    return "\n\n".join(found)


def commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield each command that runs something, with its full name."""
    for name, command in subparsers(parser).items():
        verbs = subparsers(command)
        yield from ((f"{name} {verb}", one) for verb, one in verbs.items())
        if not verbs:
            yield name, command


def default(action: argparse.Action) -> str:
    """Return the default of an argument as it would be typed, or that it is required."""
    if action.required and action.nargs != "*":
        return "required"
    return code("" if action.default in (None, False, []) else str(action.default))


# --- kinds of memory ---------------------------------------------------------------------------


def memory_kinds() -> str:
    """Return the fields of each built-in kind, as its JSON schema describes them."""
    found: list[str] = []
    for schema in SCHEMAS:
        name, described = schema.__name__, schema.model_json_schema()
        level = LEVEL_FIELDS.get(name, "")
        about = f"{sentence_ja(described['description'])} Subject: `{SUBJECT_FIELDS[name]}`."
        if level:
            about += f" Level: `{level}`."
        rows = [
            (
                code(field),
                _type(rules, described.get("$defs", {})),
                "yes" if field in described.get("required", ()) else "no",
                rules.get("description") or _undescribed(name, field),
            )
            for field, rules in described["properties"].items()
        ]
        found += [f"### `{name}`", about, table(("Field", "Type", "Required", "Description"), rows)]
    return "\n\n".join(found)


def sentence_ja(text: str) -> str:
    """Return a Japanese description with its full stop."""
    return text if text.endswith("。") else f"{text}。"


def _undescribed(kind: str, field: str) -> str:
    raise SystemExit(f"The field {kind}.{field} has no description: write one for the model.")


def _type(rules: dict[str, Any], definitions: dict[str, dict[str, Any]]) -> str:
    [one] = [rule for rule in rules.get("anyOf", [rules]) if rule.get("type") != "null"]
    if reference := one.get("$ref"):
        one = definitions[reference.rpartition("/")[2]]
    if choices := one.get("enum"):
        return f"one of {', '.join(map(str, choices))}"
    if one.get("type") == "boolean":
        return "yes or no"
    if one.get("type") != "integer":
        return "text"
    limits = (("minimum", "at least"), ("maximum", "at most"))
    bounds = [f"{words} {one[key]}" for key, words in limits if key in one]
    return ", ".join(["whole number", *bounds])


# --- Slack -------------------------------------------------------------------------------------


def called_methods() -> set[str]:
    """Return the Web API methods that `bot` calls, by Slack's names."""
    attributes = {
        node.attr
        for path in (ROOT / "bot").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
    }
    return {
        name.replace("_", ".")
        for name in attributes
        # `api_call` takes any method's name; what is called by it is not known here.
        if "_" in name.strip("_")
        and name != "api_call"
        and callable(getattr(AsyncWebClient, name, None))
    }


def _manifest() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "manifest.yml").read_text("utf-8")))


def slack_scopes() -> str:
    """Return each scope with its reason and the called methods that it allows."""
    asked = _manifest()["oauth_config"]["scopes"]
    methods, called = load_methods(), called_methods()
    rows = [
        (
            code(scope) + (" (optional)" if scope in asked["bot_optional"] else ""),
            SCOPES[scope],
            ", ".join(code(one) for one in sorted(called) if scope in methods[one].scopes) or _NONE,
        )
        for scope in asked["bot"]
    ]
    return table(("Scope", "Why", "Methods that are called with it"), rows)


def slack_events() -> str:
    """Return each subscribed event with its reason."""
    events = _manifest()["settings"]["event_subscriptions"]["bot_events"]
    return table(("Event", "What Kioku does"), [(code(one), EVENTS[one]) for one in events])


def slack_commands() -> str:
    """Return the slash commands and shortcuts of the manifest."""
    features = _manifest()["features"]
    kinds = {"global": "shortcut", "message": "shortcut of a message"}
    rows = [
        (code(one["command"]), "slash command", one["description"], code(one["usage_hint"]))
        for one in features["slash_commands"]
    ]
    rows += [
        (f"*{one['name']}*", kinds[one["type"]], one["description"], _NONE)
        for one in features["shortcuts"]
    ]
    return table(("Name", "Kind", "What it does", "Hint in Slack"), rows)


# --- metrics -----------------------------------------------------------------------------------


def metrics_counters() -> str:
    """Return the counters with their labels."""
    rows = [
        (code(f"kioku_{name}_total"), text, ", ".join(labels))
        for name, (text, labels) in COUNTERS.items()
    ]
    return table(("metric", "what is counted", "labels"), rows)


def metrics_gauges() -> str:
    """Return the gauges."""
    rows = [(code(f"kioku_{name}"), text) for name, (text, _) in GAUGES.items()]
    return table(("metric", "what it is"), rows)


PARTS: dict[str, Callable[[], str]] = {
    "commands": command_line,
    "memory_kinds": memory_kinds,
    "slack_scopes": slack_scopes,
    "slack_events": slack_events,
    "slack_commands": slack_commands,
    "metrics_counters": metrics_counters,
    "metrics_gauges": metrics_gauges,
}


def pages() -> dict[Path, str]:
    """Return each page that has generated parts, as it should be."""
    found = {}
    for path in sorted(PAGES.glob("*.md")):
        text = path.read_text("utf-8")
        if _BLOCK.search(text):
            found[path] = _formatted(
                _BLOCK.sub(lambda at: f"{at[1]}\n{PARTS[at[2]]()}\n\n{at[3]}", text)
            )
    return found


def _formatted(page: str) -> str:
    """Return a page with its blocks of Python as `ruff format` writes them."""
    ruff = [sys.executable, "-m", "ruff", "format", "--quiet", "--stdin-filename", "page.md", "-"]
    done = subprocess.run(ruff, input=page, capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603
    return done.stdout


def names(text: str) -> list[str]:
    """Return the names of the generated parts of a page."""
    return [found[2] for found in _BLOCK.finditer(text)]


def main() -> None:
    """Write the pages and the worked tables, and print those that changed."""
    measured = json.loads((ROOT / "bench/results/latest.json").read_text("utf-8"))
    for path, text in {**pages(), **scaling.pages(measured["metrics"])}.items():
        if path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            sys.stdout.write(f"{path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
