"""Memories as the stand-in knows them, and their forms in the prompts of Kioku and LangMem."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from kioku_stand_in.script import SCRIPT

FIELDS: Final = {
    "UserFoodPreference": ("food_name", "preference", "description"),
    "UserTechInterest": ("topic", "interest_level", "description"),
    "UserFact": ("fact", "topic"),
    "UserInstruction": ("instruction",),
    "Promise": ("promise", "to"),
}
"""The fields of each kind: first the subject, then, for likings, the level and the details."""
_KIND_OF: Final = {subject: kind for kind, (subject, *_) in FIELDS.items()}
_LINE: Final = re.compile(r"\d\d (?:(?P<kind>\w+): )?(?P<name>.*)", re.S)
_INSTANCE: Final = re.compile(r'<instance id=(\S+) schema_type="([^"]+)">\n(\{.*\})\n</instance>')
_NUMBERED: Final = re.compile(r"^(\d+) (\{.*\})$", re.M)


@dataclass(frozen=True)
class Memory:
    """A memory: its kind, its fields, and the sentence that says it."""

    kind: str
    content: Mapping[str, Any]
    quote: str = ""

    @property
    def name(self) -> str:
        """What it is about: its first field."""
        first, *_ = FIELDS.get(self.kind, [*self.content])
        return str(self.content.get(first, ""))

    @property
    def subject(self) -> str:
        """What identifies it: the topic of a fact that has one, or what it is about."""
        topic = self.content.get("topic")
        if topic in SCRIPT["topics"]:
            return str(topic).casefold()
        return self.name.casefold()

    def corrected(self, old: str, new: str, quote: str) -> Memory:
        """Return the memory with new words in place of old ones."""
        first = FIELDS[self.kind][0]
        name = re.sub(re.escape(old), lambda _: new, self.name, flags=re.I)
        return replace(self, content={**self.content, first: name}, quote=quote)

    def text(self, say: Mapping[str, str]) -> str:
        """Return the memory in words that the person could have said."""
        if self.kind == "Promise":
            return say["promised"].format(self.name, self.content.get("to"))
        if self.kind not in ("UserFoodPreference", "UserTechInterest"):
            return self.name
        _, level, how = FIELDS[self.kind]
        opinion = "like" if int(self.content.get(level, 100)) >= 50 else "dislike"
        return say[opinion].format(self.content.get(how) or self.name)


def values_in(text: str) -> list[Any]:
    """Return the values of JSON in the lines of a text; lines of anything else are skipped."""
    values = []
    for line in text.splitlines():
        with suppress(ValueError):
            values.append(json.loads(line))
    return values


def framed(text: str, frame: str) -> str:
    """Return what is between each ``<frame>`` and ``</frame>``."""
    return "\n".join(re.findall(rf"<{frame}>\n(.*?)\n?</{frame}>", text, re.S))


def shown_in(text: str) -> Iterator[Memory]:
    """Yield the memories in the frames of a reply's prompt.

    Kioku's line is ``26 UserFoodPreference: ramen; preference: 90``, or has no kind for a fact. The
    articles use JSON objects, and mem0 strings.
    """
    for line in framed(text, "memories").splitlines():
        [value] = values_in(line) or values_in(f'"{line}"') or [line]
        if isinstance(value, dict):
            yield Memory(value["kind"], value["content"])
        elif line.startswith('"'):
            yield Memory("UserFact", {"fact": value})
        elif found := _LINE.fullmatch(str(value)):
            kind = found["kind"] or "UserFact"
            first, *_ = FIELDS.get(kind, ("name",))
            name, *details = found["name"].split("; ")
            content: dict[str, Any] = {first: name}
            for detail in details:
                field, colon, words = detail.partition(": ")
                if colon:
                    content[field] = words
            yield Memory(kind, content)


def stored_in(text: str) -> dict[str, Memory]:
    """Return the memories in a formation request of Kioku or LangMem, by their ids."""
    stored: dict[str, Memory] = {}
    for key, shown in _NUMBERED.findall(text):
        content = json.loads(shown)
        first = next(iter(content), "")
        stored[key] = Memory(_KIND_OF.get(first, ""), content)
    for key, kind, shown in _INSTANCE.findall(text):
        stored[key] = Memory(kind, ast.literal_eval(shown))
    return stored
