"""Memory formation as LangMem asks for it: tool calls that insert, patch and remove.

LangMem's store manager shows the conversation between ``<session_…>`` tags, the
memories it has as ``<instance id=… schema_type="…">`` with a Python dict, and offers one
tool per schema, `PatchDoc` and `RemoveDoc` (read from langmem 0.0.30, trustcall 0.0.39).
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from playground.model import facts, fill, stories
from playground.model.answer import Call
from playground.model.lexicon import (
    Domain,
    cuisine_of,
    field_of,
    is_japanese,
    normalise,
    singular,
)
from playground.model.prompt import Prompt, Tool
from playground.model.statements import Statement, read_statements, without_marks

_SESSION: Final = re.compile(r"<session_(?P<id>[\w-]+)>\n?(?P<body>.*?)\n?</session_(?P=id)>", re.S)
_HEADER: Final = re.compile(r"^=+ (?P<who>\w+) Message =+$", re.M)
_INSTANCE: Final = re.compile(
    r'<instance id=(?P<id>\S+) schema_type="(?P<kind>[^"]+)">\n(?P<doc>.*?)\n</instance>', re.S
)
_REPAIRERS: Final = frozenset({"PatchFunctionErrors", "PatchFunctionName"})
_NOT_SCHEMAS: Final = frozenset({"PatchDoc", "RemoveDoc", "Done"}) | _REPAIRERS
_NAME_FIELDS: Final[dict[Domain, tuple[str, ...]]] = {
    "food": ("food_name", "food", "dish", "name"),
    "tech": ("topic", "technology", "tech", "name"),
}
_LEVEL_FIELDS: Final = ("preference", "interest_level", "level", "score", "strength")
_GROUP_FIELDS: Final = ("cuisine", "category")
_DETAIL_FIELDS: Final = ("description", "details", "note", "notes")


@dataclass(kw_only=True)
class Document:
    """One memory, existing (`key` set) or about to be inserted."""

    kind: str
    content: dict[str, Any]
    key: str | None = None
    before: dict[str, Any] = field(default_factory=dict)
    removed: bool = False


def calls_for(prompt: Prompt) -> list[Call]:
    """The tool calls for a formation request; none when there is nothing to remember."""
    if any(tool.name in _REPAIRERS for tool in prompt.tools):
        return _repairs(prompt)
    tools = {tool.name: tool for tool in prompt.tools}
    desk = _Desk(tools, _existing(prompt.instructions))
    for statement in read_statements(spoken(prompt.last_user_text)):
        desk.take(statement)
    calls = desk.calls()
    if prompt.tool_choice in tools:
        calls = [call for call in calls if call.name == prompt.tool_choice]
    return calls


def spoken(text: str) -> str:
    """The person's own words in LangMem's transcript, or `text` if it is none."""
    session = _SESSION.search(text)
    if not session:
        return text
    parts = _HEADER.split(session["body"])
    if len(parts) == 1:
        return session["body"]
    speakers = zip(parts[1::2], parts[2::2], strict=True)
    return "\n".join(words.strip() for who, words in speakers if who == "Human")


def contents_for(schemas: Sequence[Tool], said: Sequence[Statement]) -> list[dict[str, Any]]:
    """What to store of these statements, each as an object of one of `schemas`."""
    desk = _Desk({tool.name: tool for tool in schemas}, [])
    for statement in said:
        desk.take(statement)
    return [document.content for document in desk.alive()]


def existing_ids(prompt: Prompt) -> list[str]:
    """The ids of the memories, or of the refused calls, that a patch may name."""
    if prompt.results:
        return [result.call_id for result in prompt.results]
    return [str(match["id"]) for match in _INSTANCE.finditer(prompt.instructions)]


def _existing(instructions: str) -> list[Document]:
    found = []
    for match in _INSTANCE.finditer(instructions):
        content = _literal(match["doc"])
        if content is not None:
            found.append(
                Document(kind=match["kind"], content=content, key=match["id"], before=dict(content))
            )
    return found


def _literal(text: str) -> dict[str, Any] | None:
    for read in (ast.literal_eval, json.loads):
        try:
            value = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    return None


class _Desk:
    """The memories as they change under one statement after the other."""

    def __init__(self, tools: Mapping[str, Tool], documents: list[Document]) -> None:
        self._tools = tools
        self._documents = documents

    def take(self, said: Statement) -> None:
        """Let one statement change the memories."""
        if said.stance in {"instruct", "episode"}:
            self._keep_story(said)
        elif said.stance == "forget":
            self._remove(self._matching(said.subject, said.domain, loose=True), said)
        elif said.stance in {"dislike", "lost"}:
            self._turn_away(said)
        elif said.stance == "lesser":
            for document in self._matching(said.subject, said.domain):
                if (_level(document) or 0) > said.strength:
                    self._patch(document, said, level=said.strength)
        else:
            self._keep(said)

    def alive(self) -> list[Document]:
        """The memories that are left."""
        return [document for document in self._documents if not document.removed]

    def calls(self) -> list[Call]:
        """The difference as tool calls: removals and patches first, then inserts."""
        made = []
        for document in self._documents:
            if document.key is None:
                if not document.removed:
                    made.append(_call(document.kind, document.content))
            elif document.removed:
                made.append(_call("RemoveDoc", {"json_doc_id": document.key}))
            elif document.content != document.before and "PatchDoc" in self._tools:
                made.append(_patch_call(document))
        return made

    def _keep(self, said: Statement) -> None:
        general = self._general() if facts.is_fact(said) else None
        if general is not None:
            self._keep_fact(said, general)
            return
        if said.replaces is not None:
            wrong = self._matching(said.replaces, said.domain)
            if wrong:
                self._rename(wrong[0], said)
                return
        for document in self._matching(said.subject, said.domain):
            if self._adds_something(document, said):
                old = _level(document)
                level = max(old or 0, said.strength) if said.strength else None
                self._patch(document, said, level=level)
            return
        wider = self._more_general(said)
        if wider is not None:
            self._patch(wider, said, level=None)
            return
        self._insert(said)

    def _keep_story(self, said: Statement) -> None:
        tool = stories.tool_for(self._tools, said)
        if tool is None:
            return
        content = stories.content_of(said, tool)
        for document in self.alive():
            known = str(document.content.get("instruction") or "")
            if document.kind == tool.name and known and said.stance == "instruct":
                if normalise(known) == normalise(said.subject):
                    return
                if stories.same_aspect(known, said.subject):
                    document.content |= content
                    return
        self._documents.append(Document(kind=tool.name, content=content))

    def _keep_fact(self, said: Statement, tool: Tool) -> None:
        field_name, text = facts.text_field(tool), facts.text_of(said)
        if field_name is None:
            self._insert(said)
            return
        alive = [one for one in self._documents if one.kind == tool.name and not one.removed]
        if any(normalise(str(one.content.get(field_name))) == normalise(text) for one in alive):
            return
        topic, single = facts.topic_of(said)
        topic_field = facts.topic_field(tool.parameters)
        if single and topic_field:
            for document in alive:
                if document.content.get(topic_field) == topic:
                    document.content[field_name] = text
                    self._quote(document, said)
                    return
        content = fill.fill(tool.parameters, subject=text, clause=text, quote=said.quote)
        if topic and topic_field:
            content[topic_field] = topic
        self._documents.append(Document(kind=tool.name, content=content))

    def _general(self) -> Tool | None:
        schemas = (one for one in self._tools.values() if one.name not in _NOT_SCHEMAS)
        return next((one for one in schemas if facts.is_general(one)), None)

    def _is_general(self, document: Document) -> bool:
        return document.kind in self._tools and facts.is_general(self._tools[document.kind])

    def _adds_something(self, document: Document, said: Statement) -> bool:
        description = normalise(str(document.content.get(_detail_field(document)) or ""))
        if said.special is not None:
            return normalise(said.special) not in description
        level = _level(document)
        return said.strength > (level or 0) if level is not None else said.stance != "diet"

    def _more_general(self, said: Statement) -> Document | None:
        """The row of the dish that this is a kind of: ramen for miso ramen."""
        if said.domain != "food" or said.stance != "like":
            return None
        name = singular(said.subject)
        for document in self._documents:
            known = singular(_name(document, "food") or "")
            ends = name.endswith(known if is_japanese(known) else f" {known}")
            if known and ends and name != known and not document.removed:
                return document
        return None

    def _turn_away(self, said: Statement) -> None:
        found = self._matching(said.subject, said.domain)
        self._remove(found, said)
        if not found and said.stance == "dislike" and said.domain != "tech":
            self._insert(said)

    def _remove(self, found: list[Document], said: Statement) -> None:
        for document in found:
            if document.key is None or "RemoveDoc" in self._tools:
                document.removed = True
            else:
                self._patch(document, said, level=0)

    def _matching(
        self, subject: str, domain: Domain | None, *, loose: bool = False
    ) -> list[Document]:
        name = singular(subject)
        alive = [one for one in self._documents if not one.removed]
        exact = [
            one
            for one in alive
            if not self._is_general(one) and singular(_name(one, domain) or "") == name
        ]
        if exact:
            return exact
        said_of = [
            one for one in alive if self._is_general(one) and facts.speaks_of(one.content, subject)
        ]
        if not loose:
            return said_of if domain is None else []
        return [
            one
            for one in alive
            if name in normalise(json.dumps(one.content, ensure_ascii=False))
            and (len(name) > 2 or is_japanese(name))
        ][:3]

    def _rename(self, document: Document, said: Statement) -> None:
        field_name = _name_field(document.content, said.domain)
        if field_name:
            document.content[field_name] = said.subject
        self._patch(document, said, level=None)

    def _patch(self, document: Document, said: Statement, *, level: int | None) -> None:
        schema = self._schema(document.kind)
        for name in _LEVEL_FIELDS:
            if level is not None and (
                name in document.content or fill.accepts(schema, name, "integer", "number")
            ):
                document.content[name] = level
        detail = _detail_field(document)
        if detail in document.content or fill.accepts(schema, detail, "string"):
            document.content[detail] = without_marks(said.detail)
        self._quote(document, said)

    def _quote(self, document: Document, said: Statement) -> None:
        schema = self._schema(document.kind)
        for name in fill.QUOTE_FIELDS:
            if name in document.content or fill.accepts(schema, name, "string"):
                document.content[name] = said.quote

    def _insert(self, said: Statement) -> None:
        tool = self._tool_for(said.domain)
        if tool is None:
            return
        own = said.domain and _name_field(tool.parameters.get("properties", {}), said.domain)
        subject = said.subject if own else without_marks(said.quote)
        content = fill.fill(tool.parameters, subject=subject, clause=said.detail, quote=said.quote)
        if not isinstance(content, dict):
            return
        if own:
            content[own] = said.subject
            content |= self._optional(tool.parameters, said)
        self._documents.append(Document(kind=tool.name, content=content))

    def _optional(self, schema: Mapping[str, Any], said: Statement) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for name in _GROUP_FIELDS:
            group = _group(said) if fill.accepts(schema, name, "string") else None
            if group:
                given[name] = group
        for name in _LEVEL_FIELDS:
            if fill.accepts(schema, name, "integer", "number") and said.strength:
                given[name] = said.strength
        for name in _DETAIL_FIELDS:
            if fill.accepts(schema, name, "string"):
                given[name] = without_marks(said.detail)
        return given

    def _schema(self, kind: str) -> Mapping[str, Any]:
        return self._tools[kind].parameters if kind in self._tools else {}

    def _tool_for(self, domain: Domain | None) -> Tool | None:
        """The schema for this kind of thing, else one that is for anything."""
        schemas = [tool for tool in self._tools.values() if tool.name not in _NOT_SCHEMAS]
        fitting = {one: _tools_of(schemas, one) for one in ("food", "tech")}
        if domain is not None and fitting[domain]:
            return fitting[domain][0]
        taken = [*fitting["food"], *fitting["tech"]]
        told = {"instruction", "observation"}
        return next(
            (
                tool
                for tool in schemas
                if tool not in taken and not told & set(tool.parameters.get("properties", {}))
            ),
            None,
        )


def _tools_of(schemas: list[Tool], domain: str) -> list[Tool]:
    words = {
        "food": r"food|dish|cuisine|meal|食",
        "tech": r"tech|technolog|topic|interest|技術|関心",
    }[domain]
    return [
        tool
        for tool in schemas
        if not facts.is_general(tool)
        and re.search(words, " ".join([tool.name, *tool.parameters.get("properties", {})]), re.I)
    ]


def _group(said: Statement) -> str | None:
    japanese = is_japanese(said.quote)
    if said.domain == "food":
        if said.stance == "diet":
            return None
        group = cuisine_of(said.subject) or None
        return group if group is None or is_japanese(group) == japanese else None
    fields = field_of(said.subject)
    return None if fields is None else fields[0 if japanese else 1]


def _name_field(content: Mapping[str, Any], domain: Domain | None) -> str | None:
    domains: tuple[Domain, ...] = (domain,) if domain else ("food", "tech")
    names = (name for one in domains for name in _NAME_FIELDS[one])
    return next((name for name in names if name in content), None)


def _name(document: Document, domain: Domain | None) -> str | None:
    name = _name_field(document.content, domain)
    return None if name is None else str(document.content[name])


def _detail_field(document: Document) -> str:
    return next((name for name in _DETAIL_FIELDS if name in document.content), "description")


def _level(document: Document) -> int | None:
    levels = (document.content.get(name) for name in _LEVEL_FIELDS)
    return next((level for level in levels if isinstance(level, int)), None)


def _patch_call(document: Document) -> Call:
    patches = []
    for name, value in document.content.items():
        if name not in document.before:
            patches.append({"op": "add", "path": f"/{name}", "value": value})
        elif document.before[name] != value:
            patches.append({"op": "replace", "path": f"/{name}", "value": value})
    changed = ", ".join(patch["path"][1:] for patch in patches)
    return _call(
        "PatchDoc",
        {
            "json_doc_id": document.key,
            "planned_edits": f"Change {changed}, as the person said.",
            "patches": patches,
        },
    )


def _call(name: str, arguments: dict[str, Any]) -> Call:
    return Call(name=name, arguments=json.dumps(arguments, ensure_ascii=False))


_ERROR: Final = re.compile(r"^(?P<path>[\w.]+)\n  (?P<message>[^\n]+?) \[type=(?P<type>\w+)", re.M)
_WRONG_ID: Final = re.compile(r"Available IDs: \[(?P<ids>[^\]]*)\]")


def _repairs(prompt: Prompt) -> list[Call]:
    """Patches for earlier calls that trustcall refused, by the errors it lists."""
    patcher = next((tool for tool in prompt.tools if tool.name == "PatchFunctionErrors"), None)
    calls = []
    for result in prompt.results:
        if patcher is None or "PatchFunctionErrors" not in result.output:
            continue
        arguments = _literal(result.arguments) or {}
        quote = _quote_for(arguments, spoken(prompt.last_user_text))
        patches = []
        for error in _ERROR.finditer(result.output):
            path, kind = error["path"].split(".")[0], error["type"]
            op = "add" if kind == "missing" else "replace"
            value: Any = quote
            if kind.startswith(("less_than", "greater_than", "int")):
                value = 100 if kind.startswith("less_than") else 0
            wrong = _WRONG_ID.search(result.output)
            if path == "json_doc_id" and wrong:
                value = wrong["ids"].split(",")[0].strip(" '\"")
            patches.append({"op": op, "path": f"/{path}", "value": value})
        calls.append(
            _call(
                "PatchFunctionErrors",
                {
                    "json_doc_id": result.call_id,
                    "planned_edits": "Fill in what the error asks for.",
                    "patches": patches,
                },
            )
        )
    return calls


def _quote_for(arguments: dict[str, Any], words: str) -> str:
    """The sentence that speaks of the call's subject, else the last one."""
    from playground.model.statements import sentences

    said = sentences(words) or [words.strip()]
    values = [normalise(one) for one in arguments.values() if isinstance(one, str) and one]
    return next((one for one in said if any(value in normalise(one) for value in values)), said[-1])
