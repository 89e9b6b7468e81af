"""Memories as the prompts of Kioku and LangMem show them, and what statements change in them."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from kioku_stand_in.sentences import (
    LEVELS,
    Said,
    is_japanese,
    kind_of,
    read,
    singular,
    statements,
    without_marks,
)
from openai_double.answer import Call, call
from openai_double.prompt import Prompt, Tool

TOPICS: Final = {
    "avoid": ("allergy", "アレルギー"),
    "diet": ("diet", "食事"),
    "home": ("home", "住まい"),
    "work": ("work", "仕事"),
    "health": ("health", "健康"),
    "plan": ("plan", "予定"),
}
INSTANCE: Final = re.compile(r'<instance id=(\S+) schema_type="([^"]+)">\n(\{.*\})\n</instance>')
_STORED: Final = re.compile(
    r"'content': (\{(?:[^{}'\"]|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")*\})"
)
"""A memory as LangGraph's store prints it."""
_FIELDS: Final = {"preference", "interest_level"}


@dataclass(kw_only=True)
class Document:
    """One memory, existing (`key` set) or about to be inserted."""

    kind: str
    content: dict[str, Any]
    key: str = ""
    before: dict[str, Any] = field(default_factory=dict)
    removed: bool = False


def fill(schema: Mapping[str, Any], text: str, defs: Mapping[str, Any] | None = None) -> Any:
    """Return a value that satisfies `schema`: its required fields only, each text being `text`."""
    defs = schema.get("$defs", {}) if defs is None else defs
    if "$ref" in schema:
        return fill(defs[schema["$ref"].rsplit("/", 1)[-1]], text, defs)
    if union := schema.get("anyOf") or schema.get("allOf"):
        return fill(union[0], text, defs)
    if "const" in schema or schema.get("enum"):
        return schema.get("const", (schema.get("enum") or [None])[0])
    match schema.get("type", "object" if "properties" in schema else "string"):
        case "object":
            properties = schema.get("properties", {})
            required = schema.get("required", [])
            return {name: fill(properties.get(name, {}), text, defs) for name in required}
        case "array":
            return [fill(schema.get("items", {}), text, defs)]
        case "integer" | "number":
            return schema.get("maximum", 80)
        case "boolean":
            return True
    return text[: schema.get("maxLength")]


def json_list(text: str) -> list[Any]:
    """Return the JSON list in `text`; an empty list for any other text."""
    try:
        value = json.loads(text)
    except ValueError:
        return []
    return value if isinstance(value, list) else []


def framed(text: str, frame: str) -> list[Any]:
    """Return the JSON values between ``<frame>`` and ``</frame>``, one a line."""
    bodies = re.findall(rf"<{frame}>\n(.*?)\n?</{frame}>", text, re.S)
    return [one for line in "\n".join(bodies).splitlines() for one in json_list(f"[{line}]")]


def content_of(entry: Any) -> dict[str, Any]:
    """Return the content of a memory in a prompt or search result; a text is a fact."""
    value = entry.get("value", entry) if isinstance(entry, dict) else entry
    content = value.get("content", value) if isinstance(value, dict) else value
    return content if isinstance(content, dict) else {"fact": str(content)}


def shown_in(prompt: Prompt) -> list[dict[str, Any]]:
    """Return the contents of the memories in a request for a reply and in its search results.

    One that is a text is a sentence of the person: its content is ``{"said": …}``.
    """
    found = [*framed(prompt.instructions, "memories"), *framed(prompt.instructions, "episodes")]
    found += [one for result in prompt.fresh_results for one in json_list(result.output)]
    found = found or [ast.literal_eval(one) for one in _STORED.findall(prompt.instructions)]
    return [{"said": one} if isinstance(one, str) else content_of(one) for one in found]


def tools_in(description: str) -> list[Tool]:
    """Return the kinds of memory that a description lists: ``Name(field, field?); …``."""
    kinds = []
    for name, listed in re.findall(r"\b(\w+)\(([^()]*)\)", description):
        fields = [one.split()[0] for one in listed.split(",")]
        properties = {one.rstrip("?"): {"type": "string"} for one in fields}
        required = [one for one in fields if not one.endswith("?")]
        schema = {"type": "object", "properties": properties, "required": required}
        kinds.append(Tool(name=name, description="", parameters=schema))
    return kinds


def name_of(content: Mapping[str, Any]) -> str:
    """Return the dish or technology that a memory is about; ``""`` for a fact."""
    return "" if "fact" in content else content.get("food_name") or content.get("topic") or ""


def level_of(content: Mapping[str, Any]) -> int:
    """Return the level of a memory, 0 to 100; 70 if it has none."""
    return next((content[one] for one in _FIELDS if isinstance(content.get(one), int)), 70)


def mentions(content: Mapping[str, Any], thing: str) -> bool:
    """Return whether a memory is about `thing`, or mentions it in a sentence."""
    if name := name_of(content):
        return singular(name) == singular(thing)
    texts = {name: text for name, text in content.items() if name != "evidence"}
    return singular(thing) in singular(json.dumps(texts, ensure_ascii=False))


def apply(said: Said, documents: list[Document], kinds: Sequence[Tool]) -> None:
    """Change `documents` as one clause says, separately for each thing that it names."""
    if len(said.things) > 1 and said.name not in TOPICS:
        for thing in said.things:
            apply(replace(said, things=(thing,)), documents, kinds)
        return
    found = [one for one in documents if not one.removed and _is_about(one.content, said)]
    kind = _kind_for(said, kinds)
    if said.name in {"forget", "gone"}:
        for one in found:
            one.removed = said.name == "forget" or level_of(one.content) >= 50
    elif found and kind:
        _update(found[0].content, _content(kind, said), said)
    if not found and kind and said.name != "forget":
        documents.append(Document(kind=kind.name, content=_content(kind, said)))


def _kind_for(said: Said, kinds: Sequence[Tool]) -> Tool | None:
    """Return the kind for a statement, else LangMem's own `Memory`, else None.

    An operator's own kind is never chosen: what its fields mean is not known here.
    """
    named = {"instruct": "instruction", "episode": "observation", "promise": "promise"}
    domain = {"food": "food_name", "tech": "topic"}.get(kind_of(said.subject), "fact")
    wanted = named.get(said.name, domain if said.name in LEVELS else "fact")
    for name in (wanted, "instruction" if said.name in named else "fact", "content"):
        if found := [
            one for one in kinds if name in one.fields and "json_doc_id" not in one.fields
        ]:
            return found[0]
    return None


def _update(content: dict[str, Any], new: dict[str, Any], said: Said) -> None:
    """Update a memory with a statement; for a preference, its level if that changed."""
    if not name_of(content):
        content |= {} if without_marks(said.clause) in content.values() else new
        return
    same = (level_of(content) >= 50) == (said.level >= 50) and level_of(content) >= said.level
    if not same or said.name == "special":
        kept = {"food_name", "topic", *(_FIELDS if same else ())}
        content |= {name: value for name, value in new.items() if name not in kept}


def _is_about(content: Mapping[str, Any], said: Said) -> bool:
    if said.name == "forget":
        return mentions(content, said.subject)
    if name := name_of(content):
        return singular(name) == singular(said.subject)
    if said.name in {"home", "work"}:
        return content.get("topic") in TOPICS[said.name]
    return without_marks(said.clause) in content.values()


def _content(kind: Tool, said: Said) -> dict[str, Any]:
    """Return an object of a kind with the content of a statement."""
    clause = without_marks(said.clause)
    values: dict[str, Any] = {"instruction": clause, "evidence": said.quote, **said.gaps}
    thing = clause
    if said.name in TOPICS:
        values["topic"] = TOPICS[said.name][is_japanese(said.quote)]
    elif "fact" not in kind.fields and {"food_name", "topic"} & kind.fields:
        thing = said.subject
        values |= {"food_name": thing, "topic": thing} | dict.fromkeys(_FIELDS, said.level)
        values |= {"description": clause} if said.name in {"special", "gone"} else {}
    filled: dict[str, Any] = fill(kind.parameters, thing)
    return filled | {name: value for name, value in values.items() if name in kind.fields}


def spoken(text: str) -> str:
    """Return the person's messages in LangMem's transcript, or `text` if it is no transcript."""
    session = re.search(r"<session_([\w-]+)>\n?(.*?)\n?</session_\1>", text, re.S)
    parts = re.split(r"^=+ (\w+) Message =+$", session[2] if session else text, flags=re.M)
    said = zip(parts[1::2], parts[2::2], strict=True)
    return "\n".join(words.strip() for who, words in said if who == "Human") or parts[0]


def formed(prompt: Prompt) -> list[Call]:
    """Return LangMem's tool calls for a formation request; none if nothing is to be remembered."""
    documents = [
        Document(kind=kind, content=ast.literal_eval(doc), key=key, before=ast.literal_eval(doc))
        for key, kind, doc in INSTANCE.findall(prompt.instructions)
    ]
    words = spoken(prompt.last_user_text)
    told = statements(words)
    for said in read(words):
        if said in told or said.name == "forget":
            apply(said, documents, prompt.tools)
    calls = [made for one in documents for made in _calls(one)]
    chosen = prompt.tool_choice in {"auto", "required"}
    return [one for one in calls if chosen or one.name == prompt.tool_choice]


def _calls(document: Document) -> list[Call]:
    if not document.key:
        return [] if document.removed else [call(document.kind, document.content)]
    if document.removed:
        return [call("RemoveDoc", {"json_doc_id": document.key})]
    patches = [
        {"op": "replace" if name in document.before else "add", "path": f"/{name}", "value": value}
        for name, value in document.content.items()
        if name not in document.before or document.before[name] != value
    ]
    given = {
        "json_doc_id": document.key,
        "planned_edits": "As the person said.",
        "patches": patches,
    }
    return [call("PatchDoc", given)] if patches else []
