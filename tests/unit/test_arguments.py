"""Arguments of tool calls, as a model may write them."""

from __future__ import annotations

from typing import Any

import pytest

from memory.model.text import MAX_DEPTH
from memory.tools import read_arguments
from memory.tools.arguments import MAX_ARGUMENTS


@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        ("", {}),
        ("{}", {}),
        ('{"query": "ramen", "limit": 3, "level": 0.5, "none": null}', None),
        ('{"a": "x\\u0000y", "b\\u0000": ["\\ud800z"]}', {"a": "xy", "b": ["z"]}),
        ('{"a": "\\ud83c\\udf5c"}', {"a": "🍜"}),
    ],
)
def test_an_object_is_read(arguments: str, read: dict[str, Any] | None) -> None:
    """Texts come without what PostgreSQL cannot store."""
    expected = (
        {"query": "ramen", "limit": 3, "level": 0.5, "none": None}
        if read is None
        else read
    )
    assert read_arguments(arguments) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        "[",
        "[]",
        "5",
        '"text"',
        "{",
        "[" * 100_000,
        '{"a":' * 900 + "1" + "}" * 900,
        '{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1),
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": ' + "1" * 5_000 + "}",
        '{"a": "' + "x" * MAX_ARGUMENTS + '"}',
        None,
        {"a": 1},
    ],
    ids=lambda one: str(one)[:20],
)
def test_anything_else_is_none(arguments: object) -> None:
    """Malformed, nested or long arguments are none; nothing is raised."""
    assert read_arguments(arguments) is None
