"""Requests for tool calls as JSON, which Kioku sends to a server without tools."""

from __future__ import annotations

import json
from dataclasses import replace

from openai_double.answer import Answer, make_answer
from openai_double.prompt import Prompt, Tool
from openai_double.types import Json


def with_tools(prompt: Prompt) -> Prompt:
    """Return a prompt that asks for tool calls as JSON as one with these tools."""
    schema = prompt.schema or {}
    calls = schema.get("properties", {}).get("calls", {})
    tools: list[Tool] = []
    for form in calls.get("items", {}).get("anyOf", []):
        name = form["properties"]["tool"]["const"]
        tools.append(Tool(name=name, parameters=form))
    if not tools:
        return prompt
    text = prompt.last_user_text
    return replace(prompt, tools=tuple(tools), schema=None, instructions=text)


def as_json(answer: Answer) -> Answer:
    """Return the calls of an answer as JSON, with field changes in place of JSON Patch."""
    calls: list[Json] = []
    for call in answer.calls:
        arguments: Json = json.loads(call.arguments)
        if "patches" in arguments:
            changes = [_change(patch) for patch in arguments["patches"]]
            arguments = {"json_doc_id": arguments["json_doc_id"], "changes": changes}
        calls.append({"tool": call.name, **arguments})
    text = json.dumps({"calls": calls}, ensure_ascii=False)
    return make_answer(text)


def _change(patch: Json) -> Json:
    field = patch["path"].removeprefix("/")
    return {"field": field, "value": patch["value"]}
