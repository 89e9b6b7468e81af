"""The validation against OpenAI's schemas fails for what is wrong, and says what."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.departures import DEPARTURES
from tests.conformance.document import read
from tests.conformance.openai_schemas import PATH
from tests.conformance.shape import Shapes
from tests.conformance.traffic import Checked, Traffic, message, summary
from tests.conformance.validator import Schemas, openai_schemas

Json = dict[str, Any]
Change = Callable[[Any], object]

FUNCTION: Json = {
    "type": "function",
    "name": "list_memories",
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}
REQUEST: Json = {
    "model": "gpt-6-luna",
    "instructions": "Answer.",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"role": "assistant", "content": "Hello!"},
        {"type": "function_call", "call_id": "c", "name": "list_memories", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "[]"},
    ],
    "tools": [FUNCTION, {"type": "web_search"}],
    "max_output_tokens": 16,
    "stream": True,
}
CHAT: Json = {
    "model": "gpt-6-luna",
    "messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "hi"}],
    "tools": [{"type": "function", "function": {"name": "save", "parameters": {}}}],
}
EMBEDDING: Json = {"model": "text-embedding-3-small", "input": ["a"], "encoding_format": "base64"}
DELTA: Json = {
    "type": "response.output_text.delta",
    "sequence_number": 4,
    "item_id": "msg_1",
    "output_index": 0,
    "content_index": 0,
    "delta": "Hel",
    "logprobs": [],
}
RESPONSE: Json = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "model": "gpt-6-luna",
    "output": [],
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
}
ERROR: Json = {"message": "x", "type": "y", "param": None, "code": None}
VALID: dict[str, tuple[str, str, Json]] = {
    "request": ("request", "/responses", REQUEST),
    "chat": ("request", "/chat/completions", CHAT),
    "embedding": ("request", "/embeddings", EMBEDDING),
    "event": ("event", "/responses", DELTA),
    "response": ("object", "/responses", RESPONSE),
    "error": ("error", "/responses", {"error": ERROR}),
}


def problems(what: str, path: str, body: Any) -> list[str]:
    """What is wrong with a body by a validation that has seen nothing yet."""
    return Checked().problems(what, path, body)


@pytest.mark.parametrize(("what", "path", "body"), VALID.values(), ids=VALID)
def test_what_conforms_passes(what: str, path: str, body: Json) -> None:
    """Valid bodies of every kind have no problems."""
    assert problems(what, path, body) == []


@pytest.mark.parametrize(
    ("valid", "change", "said"),
    [
        ("request", lambda b: b.update(temprature=1), "body: unknown field"),
        ("request", lambda b: b.update(max_output_tokens=3), "max_output"),
        (
            "request",
            lambda b: b["tools"][0].pop("strict"),
            "tools[0]: missing field strict (schema FunctionTool)",
        ),
        ("request", lambda b: b["tools"][0].update(strict="no"), "tools[0].strict: is 'no'"),
        (
            "request",
            lambda b: b["tools"][1].update(type="web_serch"),
            "tools[1]: 'type' is 'web_serch'; allowed here: apply_patch",
        ),
        (
            "request",
            lambda b: b["input"][0].update(role="tool"),
            "input[0]: 'role' is 'tool'; allowed here: assistant, developer, system, user",
        ),
        (
            "request",
            lambda b: b["input"][0]["content"][0].update(type="text"),
            "input[0].content[0]: 'type' is 'text'; allowed here: input_file",
        ),
        (
            "request",
            lambda b: b["input"][2].pop("name"),
            "input[2]: missing field name (schema FunctionToolCall)",
        ),
        ("request", lambda b: b["input"][3].update(output={}), "input[3].output: is {}"),
        ("chat", lambda b: b["messages"][1].pop("content"), "[1]"),
        ("chat", lambda b: b["tools"][0].update(name="save"), "tools[0]: unknown field name"),
        ("embedding", lambda b: b.update(input=[]), "non-empty"),
        ("embedding", lambda b: b.update(dimensions=0), "minimum"),
        ("event", lambda b: b.pop("sequence_number"), "sequence_number"),
        ("event", lambda b: b.update(delta=None), "delta: is None"),
        ("event", lambda b: b.update(type="response.said"), "response.said"),
        ("response", lambda b: b.update(status="done"), "status: is 'done'"),
        ("response", lambda b: b.pop("tools"), "missing field tools"),
        ("error", lambda b: b.update(error={"message": "x"}), "missing field"),
    ],
)
def test_what_does_not_conform_is_told(valid: str, change: Change, said: str) -> None:
    """Each change to a valid body is one problem, with its place and the rule."""
    what, path, body = VALID[valid]
    changed = copy.deepcopy(body)
    change(changed)
    [found] = problems(what, path, changed)
    assert found.startswith(f"{path} {what}")
    assert said in found


def _mutations(value: Any) -> list[Any]:
    """Every copy of `value` with one part removed, or replaced by something else."""
    found: list[Any] = [None, "", "x" * 600, 7, -3, 1.5, True, [], {}, ["x"], {"x": 1}]
    if isinstance(value, dict):
        found += [{k: v for k, v in value.items() if k != key} for key in value]
        found.append({**value, "surplus": 1})
        for key, below in value.items():
            found += [{**value, key: one} for one in _mutations(below)]
    elif isinstance(value, list):
        for place, below in enumerate(value):
            found += [[*value[:place], one, *value[place + 1 :]] for one in _mutations(below)]
    return found


@pytest.mark.parametrize(("what", "path", "body"), VALID.values(), ids=VALID)
def test_equal_shapes_have_equal_verdicts(what: str, path: str, body: Json) -> None:
    """What is not validated because its shape is known would have had the same verdict."""
    checked = Checked()
    every = [body, *_mutations(body)]
    refused = 0
    for one in every:
        known = bool(checked.problems(what, path, one))
        name = checked.name_of(what, path)
        assert known == bool(openai_schemas().problems(name, one)), one
        refused += known
    assert refused > len(every) / 2


def test_texts_and_numbers_without_rules_share_a_shape() -> None:
    """Two deltas are validated once; another type, a longer limit or another enum value is not."""
    shapes = Shapes(read(PATH).sections["schemas"])
    same = {**DELTA, "delta": "lo!", "sequence_number": 9, "item_id": "msg_2"}
    assert shapes.shape(DELTA) == shapes.shape(same)
    assert shapes.shape(DELTA) != shapes.shape({**DELTA, "delta": 3})
    assert shapes.shape(DELTA) != shapes.shape({**DELTA, "type": "response.refusal.delta"})
    assert shapes.shape(EMBEDDING) != shapes.shape({**EMBEDDING, "encoding_format": "hex"})


@pytest.mark.parametrize("departure", DEPARTURES, ids=lambda one: f"{one.schema}.{one.field}")
def test_each_departure_is_needed(departure: Any) -> None:
    """Without it the schema refuses what it names."""
    bodies: dict[tuple[str, str], Json] = {
        ("EasyInputMessage", "content"): {
            "role": "assistant",
            "content": [{"type": "output_text", "text": "x"}],
        },
        ("Embedding", "embedding"): {"object": "embedding", "index": 0, "embedding": "AAAA"},
        ("Response", "store"): {**RESPONSE, "store": True},
        ("Response", "usage"): {**RESPONSE, "usage": None},
        ("Response", "user"): {**RESPONSE, "user": None},
        ("ResponseErrorEvent", ""): {"type": "error", "sequence_number": 1, "error": ERROR},
    }
    body = bodies[departure.schema, departure.field]
    assert openai_schemas().problems(departure.schema, body) == []
    assert Schemas(read(PATH).sections["schemas"]).problems(departure.schema, body) != []


def test_the_message_says_what_to_change_and_the_summary_counts() -> None:
    """Violations are told once each and counted; expected ones are told and not counted."""
    traffic = Traffic()
    traffic.add("request", "/responses", {**REQUEST, "temprature": 1})
    traffic.add("request", "/responses", {**REQUEST, "temprature": 1})
    traffic.add("event", "/responses", DELTA)
    [found] = traffic.violations()
    assert "tests/data/openai/schemas.json" in message([found])
    traffic.add("request", "/responses", {**REQUEST, "temprature": 1})
    assert traffic.violations(expected=True) == [found]
    assert summary(traffic.counts) == (
        "OpenAI's schemas: 3 requests, 1 events, 0 objects, 0 errors validated; 2 violations"
    )
