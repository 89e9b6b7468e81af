"""Documents of export and import: writing, and reading with validation of every field."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from psycopg.rows import DictRow
from pydantic import BaseModel

from memory.credentials.detection import holds_secret
from memory.credentials.redaction import redact
from memory.model.dates import DateOutOfRange, is_slack_ts, parse_timestamp
from memory.model.errors import InvalidContent, InvalidNamespace, NotAnExport
from memory.model.namespace import DM, Person
from memory.model.schemas import INSTRUCTION_KIND, level
from memory.model.text import MAX_DEPTH, MAX_TEXT, clean_content, depth, parse_json, texts
from memory.store.edits import validated
from memory.store.memories import EXAMPLE_SOURCE, Keyed, Memory

FORMAT = "kioku-export"
VERSION = 1
MAX_CHARACTERS = 20_000_000
MAX_MEMORIES = 20_000
MAX_SOURCES = 100
_LINE_KIND = "UserFact"
_LINES_FROM = UUID("6b696f6b-7500-4000-8000-000000000001")
_KEY = re.compile(r"[0-9A-Za-z-]{1,64}\Z")
_CHANNEL = re.compile(r"[0-9A-Za-z.]{1,64}\Z")
_PERMALINK = re.compile(r"https://[a-z0-9-]+(\.enterprise)?\.slack\.com/archives/[\w/?=&.%-]+\Z")
_SOURCE_FIELDS: Mapping[str, Callable[[str], object]] = {
    "channel": _CHANNEL.match,
    "ts": is_slack_ts,
    "permalink": _PERMALINK.match,
}
_SOURCE_KINDS = frozenset({"message", "command", "modal", "import", "tool", EXAMPLE_SOURCE})
_BULLET = re.compile(r"\A\s*+(?:(?:[-*•・–—]|\d{1,3}[.)．])\s+|[・•]\s*)")
_DATED = re.compile(r"\A[\[(（]?\d{4}-\d{2}-\d{2}[\])）]?\s*[-–—:：]?\s*")
_FENCE = re.compile(r"\A\s*(?:```|~~~)")
_HEADING = re.compile(r"\A\s*#|[:：]\s*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported(Keyed):
    """A validated memory of a document; dates are None if the document has none."""

    value: dict[str, Any]
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def is_instruction(self) -> bool:
        """Whether it is an instruction, which is imported only if the person confirms it."""
        return str(self.value["kind"]) == INSTRUCTION_KIND


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The memories of a document for one person; `refused` counts the others by reason.

    Reasons: ``shape``, ``date`` (outside 2000 to 2100), ``unknown_kind``, ``content``, ``secret``,
    ``ended``, ``too_many``. `lines`: it is a list of another assistant, not an export.
    """

    memories: tuple[Imported, ...]
    refused: Mapping[str, int]
    lines: bool = False


# --- writing -------------------------------------------------------------------------------


def memory_entry(row: Memory) -> dict[str, Any]:
    """Return a memory as an entry of a document: stored value, audience, key and dates."""
    return {
        "audience": row.namespace.audience,
        "key": row.key,
        "created_at": row.created_at.isoformat(),
        "updated_at": row.updated_at.isoformat(),
        **row.value,
    }


def plain(record: DictRow) -> dict[str, Any]:
    """Return a row with ids and dates as strings."""
    found: dict[str, Any] = json.loads(json.dumps(record, default=_text, ensure_ascii=False))
    return found


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


# --- reading -------------------------------------------------------------------------------


def read(text: str, person: Person, schemas: Sequence[type[BaseModel]]) -> Document:
    """Read an export, or lines printed by another assistant; raises `NotAnExport`."""
    if len(text) > MAX_CHARACTERS:
        raise NotAnExport("large")
    stripped = text.strip().lstrip("\ufeff")
    if not stripped.startswith("{"):
        return _read_lines(stripped, person, schemas)
    try:
        document = parse_json(stripped)
    except (ValueError, RecursionError):
        raise NotAnExport("damaged") from None
    if document.get("format") != FORMAT:
        raise NotAnExport("foreign")
    if document.get("version") != VERSION:
        raise NotAnExport("newer")
    entries = document.get("memories")
    if not isinstance(entries, list):
        raise NotAnExport("no_list")
    memories: list[Imported] = []
    refused: Counter[str] = Counter()
    for entry in entries:
        if len(memories) >= MAX_MEMORIES:
            refused["too_many"] += 1
            continue
        one = _read_memory(entry, person, schemas)
        if isinstance(one, Imported):
            memories.append(one)
        else:
            refused[one] += 1
    by_key = {one.row_key: one for one in memories}
    return Document(memories=tuple(by_key.values()), refused=dict(refused))


def _read_memory(
    entry: object, person: Person, schemas: Sequence[type[BaseModel]]
) -> Imported | str:
    if not isinstance(entry, dict) or depth(entry) > MAX_DEPTH:
        return "shape"
    if not isinstance(entry.get("content"), dict):
        return "shape"
    try:
        namespace = person.namespace(str(entry.get("audience")))
        created, updated = _date(entry.get("created_at")), _date(entry.get("updated_at"))
        confirmed = _date(entry.get("confirmed_at")) or updated
        end = None if entry.get("expires_at") is None else parse_timestamp(str(entry["expires_at"]))
    except DateOutOfRange:
        return "date"
    except (InvalidNamespace, ValueError):
        return "shape"
    key = str(entry.get("key"))
    if not _KEY.match(key):
        return "shape"
    kind = str(entry.get("kind"))
    value: dict[str, Any] = {"kind": kind, "content": entry["content"]}
    if supersedes := _supersedes(entry.get("supersedes"), person):
        value["supersedes"] = supersedes
    content = _content(kind, entry["content"], schemas, hides=bool(supersedes))
    if isinstance(content, str):
        return content
    value["content"] = content
    value["sources"] = _sources(entry.get("sources"))
    if confirmed is not None:
        value["confirmed_at"] = confirmed.isoformat()
    if end is not None:
        if end <= datetime.now(UTC):
            return "ended"
        value["expires_at"] = end.isoformat()
    return Imported(
        namespace=namespace, key=key, value=value, created_at=created, updated_at=updated
    )


def _content(
    kind: str, content: dict[str, Any], schemas: Sequence[type[BaseModel]], *, hides: bool
) -> dict[str, Any] | str:
    schema = next((one for one in schemas if one.__name__ == kind), None)
    if schema is None:
        return "unknown_kind"
    if hides and level(kind, content) == 0:
        # It only hides a wider memory: its content is a level of 0, which `validated` refuses.
        if any(map(holds_secret, texts(content))):
            return "secret"
        try:
            return schema.model_validate(clean_content(content)).model_dump(mode="json")
        except ValueError:
            return "content"
    try:
        return validated(kind, content, schemas)
    except InvalidContent as wrong:
        return "secret" if "secret" in wrong.codes.values() else "content"


def _date(value: object) -> datetime | None:
    if value is None:
        return None
    # A date in the future would take precedence over every later change.
    return min(parse_timestamp(str(value)), datetime.now(UTC))


def _supersedes(entries: object, person: Person) -> list[dict[str, str]]:
    found = entries if isinstance(entries, list) else []
    return [
        {"audience": str(one["audience"]), "key": str(one["key"])}
        for one in found[:MAX_SOURCES]
        if isinstance(one, dict)
        and _is_audience(str(one.get("audience")), person)
        and _KEY.match(str(one.get("key")))
    ]


def _is_audience(name: str, person: Person) -> bool:
    try:
        person.namespace(name)
    except InvalidNamespace:
        return False
    return True


def _sources(entries: object) -> list[dict[str, Any]]:
    """Return sources with known fields only; a permalink must point to Slack."""
    valid: list[dict[str, Any]] = []
    for one in entries[:MAX_SOURCES] if isinstance(entries, list) else []:
        if not isinstance(one, dict) or str(one.get("kind")) not in _SOURCE_KINDS:
            continue
        source: dict[str, Any] = {}
        for name, value in one.items():
            if name == "kind":
                source[name] = value
            elif is_valid := _SOURCE_FIELDS.get(name):
                source[name] = value if value and is_valid(str(value)) else None
            elif name == "evidence":
                source[name] = redact(str(clean_content({name: str(value)})[name])).text
        valid.append(source)
    return valid


# --- what another assistant prints -----------------------------------------------------------


def _read_lines(text: str, person: Person, schemas: Sequence[type[BaseModel]]) -> Document:
    """Read one fact per line, without list marks and dates; headings are skipped.

    In a text with a code block, only the lines in it are read.
    """
    memories: dict[str, Imported] = {}
    refused: Counter[str] = Counter()
    now = datetime.now(UTC)
    if _LINE_KIND not in {schema.__name__ for schema in schemas}:
        raise NotAnExport("lines")
    lines = text.splitlines()
    if fences := [number for number, line in enumerate(lines) if _FENCE.match(line)]:
        lines = lines[fences[0] + 1 : fences[-1] if len(fences) > 1 else None]
    for line in lines:
        if not line.strip() or _FENCE.match(line) or _HEADING.search(line):
            continue
        fact = _DATED.sub("", _BULLET.sub("", line, count=1) if _BULLET.match(line) else line)
        fact = " ".join(fact.split())[:MAX_TEXT]
        if len(fact) < 3:
            continue
        if len(memories) >= MAX_MEMORIES:
            refused["too_many"] += 1
            continue
        content = _content(_LINE_KIND, {"fact": fact}, schemas, hides=False)
        if isinstance(content, str):
            refused[content] += 1
            continue
        # The key is derived from the line, so importing it again changes nothing.
        key = str(uuid5(_LINES_FROM, f"{person.scope} {fact.casefold()}"))
        memories[key] = Imported(
            namespace=person.namespace(DM),
            key=key,
            value={
                "kind": _LINE_KIND,
                "content": content,
                "sources": [
                    {
                        "kind": "import",
                        "permalink": None,
                        "channel": None,
                        "ts": None,
                        "evidence": content["fact"],
                    }
                ],
                "confirmed_at": now.isoformat(),
            },
        )
    if not memories and not refused:
        raise NotAnExport("empty")
    return Document(memories=tuple(memories.values()), refused=dict(refused), lines=True)
