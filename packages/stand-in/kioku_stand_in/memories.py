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
from openai_double.types import Json

FIELDS: Final = {
    "UserFoodPreference": ("food_name", "preference", "description"),
    "UserTechInterest": ("topic", "interest_level", "description"),
    "UserFact": ("fact", "topic"),
    "UserInstruction": ("instruction",),
    "Promise": ("promise", "to"),
}
"""The fields of each kind: first the subject, then, for likings, the level and the details."""
_KIND_OF: Final = {fields[0]: kind for kind, fields in FIELDS.items()}
_SENTENCE: Final = re.compile(r"\bI\b|[ぁ-ん]")
_LINE: Final = re.compile(
    r"(?:(?P<mark>m\d+) )?\d\d (?:(?P<kind>\w+): )?(?P<name>.*)", re.S
)
_INSTANCE: Final = re.compile(
    r'<instance id=(\S+) schema_type="([^"]+)">\n(\{.*\})\n</instance>'
)
_NUMBERED: Final = re.compile(r"^(\d+) (\{.*\})$", re.M)


@dataclass(frozen=True)
class Memory:
    """A memory: its kind, its fields, the sentence that says it, and its mark in the prompt."""

    kind: str
    content: Mapping[str, Any]
    quote: str = ""
    mark: str = ""

    @property
    def name(self) -> str:
        """What it is about: its first field."""
        fields = FIELDS.get(self.kind) or tuple(self.content)
        return str(self.content.get(fields[0], ""))

    @property
    def subject(self) -> str:
        """What identifies it: the topic of a fact that has one, or what it is about."""
        topic = self.content.get("topic")
        if topic in SCRIPT["subjects"]["only"]:
            return str(topic).casefold()
        return self.name.casefold()

    @property
    def words(self) -> str:
        """What was said of it, if more than its name is known."""
        fields = FIELDS.get(self.kind, ())
        if len(fields) == 3 and _SENTENCE.search(str(self.content.get(fields[2]))):
            return str(self.content[fields[2]])
        return self.name

    def corrected(self, old: str, new: str, quote: str) -> Memory:
        """Return the memory with new words in place of old ones.

        What is around the old words there may be in the new ones: “third” and “4th floor”.
        """
        cuts = list(re.finditer(r" |[^\x00-\x7f]", new))
        starts = "|".join(re.escape(new[: cut.end()]) for cut in cuts)
        ends = "|".join(re.escape(new[cut.start() :]) for cut in cuts)
        replaced = f"(?:{starts})?{re.escape(old)}(?:{ends})?"
        content = {**self.content}
        first, *_, last = (*FIELDS[self.kind], "")
        for field in (first, last):
            if field in content:
                around = re.split(replaced, str(content[field]), flags=re.I)
                content[field] = new.join(around)
        return replace(self, content=content, quote=quote)

    def text(self, replies: Mapping[str, str]) -> str:
        """Return the memory in words that the person could have said."""
        words = self.words
        if self.kind == "Promise" and self.content.get("to"):
            words = replies["promised"].format(words, self.content["to"])
        if self.content.get("state") == "done":
            words = replies["kept"].format(words)
        if words != self.name or self.kind not in SCRIPT["liked"]:
            return words
        _, level_field, details_field = FIELDS[self.kind]
        level = int(self.content.get(level_field, 50))
        liked = self.content.get(details_field) or self.name
        opinions = {100: "love", 50: "like", 0: "dislike"}
        opinion = next(name for least, name in opinions.items() if level >= least)
        return replies[opinion].format(liked)


def values_in(text: str) -> list[Any]:
    """Return the values of JSON in the lines of a text; lines of anything else are skipped."""
    values = []
    for line in text.splitlines():
        with suppress(ValueError):
            values.append(json.loads(line))
    return values


def framed(text: str, frame: str) -> str:
    """Return what is between each ``<frame>`` and ``</frame>``."""
    contents = re.findall(rf"<{frame}>\n(.*?)\n?</{frame}>", text, re.S)
    return "\n".join(contents)


def framed_values(text: str, frame: str) -> list[Any]:
    """Return the values of JSON in the lines of these frames, as `values_in` does."""
    return values_in(framed(text, frame))


def shown_in(text: str) -> Iterator[Memory]:
    """Yield the memories in the frames of a reply's prompt.

    Kioku's line is ``m3 26 UserFoodPreference: ramen; preference: 90``, or has no kind for a fact.
    The articles use JSON objects, and mem0 strings.
    """
    for line in framed(text, "memories").splitlines():
        value = _value_of(line)
        if isinstance(value, dict):
            yield Memory(value["kind"], value["content"])
        elif line.startswith('"'):
            yield Memory("UserFact", {"fact": value})
        elif found := _LINE.fullmatch(str(value)):
            yield _memory_on(found)


def _value_of(line: str) -> Any:
    """Return the JSON of a line, or the text of a line that has JSON's escapes only."""
    for text in (line, f'"{line}"'):
        with suppress(ValueError):
            return json.loads(text)
    return line


def _memory_on(found: re.Match[str]) -> Memory:
    """Return the memory of Kioku's line."""
    kind = found["kind"] or "UserFact"
    fields = FIELDS.get(kind, ("name",))
    name, *details = found["name"].split("; ")
    content: Json = {fields[0]: name}
    for detail in details:
        field, colon, words = detail.partition(": ")
        if colon:
            content[field] = words
    return Memory(kind, content, mark=found["mark"] or "")


def stored_in(text: str) -> dict[str, Memory]:
    """Return the memories in a formation request of Kioku or LangMem, by their ids."""
    stored: dict[str, Memory] = {}
    for key, shown in _NUMBERED.findall(text):
        content = json.loads(shown)
        kinds = [_KIND_OF[name] for name in content if name in _KIND_OF]
        stored[key] = Memory(next(iter(kinds), ""), content)
    for key, kind, shown in _INSTANCE.findall(text):
        stored[key] = Memory(kind, ast.literal_eval(shown))
    return stored
