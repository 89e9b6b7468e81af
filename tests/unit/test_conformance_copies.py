"""The copies of published specifications, and the comparison with a shape."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import openai_schemas, slack
from tests.conformance.document import read
from tests.conformance.shapes import departures, merged, shape_of


@pytest.mark.parametrize(
    "path",
    [
        openai_schemas.PATH,
        slack.METHODS_PATH,
        slack.EXAMPLES_PATH,
        slack.RESPONSES_PATH,
        slack.INTERACTIVE_PATH,
    ],
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_the_copy_is_as_the_command_writes_it(path: Path) -> None:
    """The copy in the repository says where it comes from and was not edited."""
    copy = read(path)
    assert copy.dumps() == path.read_text(encoding="utf-8")
    assert {"repository", "commit", "date", "licence"} <= set(copy.origin)


def test_departures_from_a_shape() -> None:
    """A field that is not in the shape or has another type is named; a null and {} fit."""
    samples = [{"a": "", "b": [{"c": 1}], "d": {}}, {"a": 1, "b": [{"e": True}], "f": None}]
    shape = merged(shape_of(sample) for sample in samples)
    assert shape["a"] == "number|string"
    fits = {"a": "x", "b": [{"c": 2}, {"e": False}], "d": {"x": 1}, "f": [1], "g": None}
    assert departures({**fits, "b": None}, shape) == ["g: unknown"]
    assert departures({"a": True, "b": [{"c": "x"}], "d": []}, shape) == [
        "a: boolean, not number|string",
        "b[].c: string, not number",
        "d: array, not object",
    ]
