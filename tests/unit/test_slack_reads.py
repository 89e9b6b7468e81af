"""Every field of Slack's payloads that the app reads is one that Slack publishes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.playground.shapes import answers, events, payloads

BOT = Path(__file__).parents[2] / "bot"
# What the code calls Slack's events, payloads, answers and their parts.
NAMES = frozenset(
    {
        "action",
        "actions",
        "answer",
        "authorization",
        "block",
        "body",
        "channel",
        "container",
        "context",
        "entity",
        "event",
        "file",
        "message",
        "previous",
        "state",
        "user",
        "view",
    }
)
# The events and messages of its modules are the model's.
NOT_SLACK = BOT / "pipeline" / "responses"
DOCUMENTED = {
    "app_context": "https://docs.slack.dev/reference/events/message.im",
    "context": "https://docs.slack.dev/reference/events/app_context_changed",
    "element": "https://docs.slack.dev/reference/block-kit/blocks/input-block",
    "entities": "https://docs.slack.dev/reference/events/app_context_changed",
    "selected_date_time": (
        "https://docs.slack.dev/reference/block-kit/block-elements/datetime-picker-element"
    ),
}


def names_in(shape: Any) -> Iterator[str]:
    """The name of every field of a shape."""
    if isinstance(shape, dict):
        for name, one in shape.items():
            yield name
            yield from names_in(one)
    elif isinstance(shape, list):
        for one in shape:
            yield from names_in(one)


def root(node: ast.expr) -> str:
    """The variable or attribute that a chain such as ``(event.get("a") or {})["b"]`` reads."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=ast.Attribute(value=value, attr="get")) | ast.Subscript(value=value):
            return root(value)
        case ast.Call(func=ast.Name(id="entered"), args=[view, *_]):
            return root(view)
        case ast.BoolOp(values=[first, *_]):
            return root(first)
    return ""


def reads(source: str) -> set[str]:
    """The fields that a module reads of what `NAMES` names."""
    found = set[str]()
    for node in ast.walk(ast.parse(source)):
        match node:
            case (
                ast.Call(
                    func=ast.Attribute(value=value, attr="get"),
                    args=[ast.Constant(value=str(key)), *_],
                )
                | ast.Subscript(value=value, slice=ast.Constant(value=str(key)), ctx=ast.Load())
            ):
                if root(value) in NAMES:
                    found.add(key)
    return found


def test_reads_are_found() -> None:
    """A read is found in a chain of gets, in a subscript and behind ``or``; a write is none."""
    source = """
event.get("a", {}).get("b"); (event["c"] or {}).get("d"); self.view["e"]; row["f"]; event["g"] = 1
"""
    assert reads(source) == {"a", "b", "c", "d", "e"}


def test_every_field_that_is_read_is_published() -> None:
    """The app reads no field that is in no published shape and on no page of the reference."""
    shapes = [*answers().values(), *events().values(), *payloads().values()]
    published = {name for shape in shapes for name in names_in(shape)}
    modules = [path for path in BOT.rglob("*.py") if NOT_SLACK not in path.parents]
    found = {name for path in modules for name in reads(path.read_text(encoding="utf-8"))}
    assert {"channel_type", "thread_ts", "client_msg_id", "private_metadata"} & found
    assert len(found) > 60
    assert found - published == DOCUMENTED.keys()
