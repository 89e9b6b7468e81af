"""Apply statements to memories, one after the other."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from kioku_stand_in import fill
from kioku_stand_in.lexicon import is_japanese, normalise, singular
from kioku_stand_in.sentences import Said, read, statements, without_marks
from openai_double.prompt import Tool, tools_in

LEVELS: Final = ("preference", "interest_level")
TOPICS: Final = {
    "avoid": ("allergy", "アレルギー"), "diet": ("diet", "食事"), "home": ("home", "住まい"),
    "work": ("work", "仕事"), "health": ("health", "健康"),
    "plan": ("plan", "予定"),
}  # fmt: skip
_BUILT_IN: Final = (
    "UserTechInterest(topic, interest_level?, description?) UserFact(fact, topic?)"
    " UserFoodPreference(food_name, preference?, description?)"
)


@dataclass(kw_only=True)
class Document:
    """One memory, existing (`key` set) or about to be inserted."""

    kind: str
    content: dict[str, Any]
    key: str = ""
    before: dict[str, Any] = field(default_factory=dict)
    removed: bool = False


def name_of(content: Mapping[str, Any]) -> str:
    """Return the dish or technology that a memory is about; ``""`` for a fact."""
    return "" if "fact" in content else content.get("food_name") or content.get("topic") or ""


def level_of(content: Mapping[str, Any]) -> int:
    """Return the level of a memory, 0 to 100; 70 if it has none."""
    return next((content[one] for one in LEVELS if isinstance(content.get(one), int)), 70)


def told_in(content: Mapping[str, Any]) -> list[Said]:
    """Return the statements in the texts of a memory that match the table."""
    return [one for text in _without_evidence(content).values() for one in statements(str(text))]


def _without_evidence(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a memory without its evidence, a sentence that may also say something else.

    An episode keeps it: its fields contain parts of the sentence only.
    """
    return {n: v for n, v in content.items() if n != "evidence" or "observation" in content}


def mentions(content: Mapping[str, Any], thing: str) -> bool:
    """Return whether a memory is about `thing`, or mentions it in a sentence."""
    if name := name_of(content):
        return singular(name) == singular(thing)
    word = re.escape(singular(thing))
    word = word if is_japanese(thing) else rf"\b{word}(?:s|es)?\b"
    text = json.dumps(_without_evidence(content), ensure_ascii=False)
    return re.search(word, normalise(text)) is not None


class Memories:
    """The memories while statements are applied in order."""

    def __init__(self, tools: Sequence[Tool], documents: list[Document]) -> None:
        tools = tools or tools_in(_BUILT_IN)
        self._kinds = [one for one in tools if one.fields and "json_doc_id" not in one.fields]
        self.documents = documents

    def hear(self, words: str) -> None:
        """Apply the statements in `words` and its requests to forget, in order."""
        told = statements(words)
        for said in read(words):
            if said in told or said.name == "forget":
                self.take(said)

    def take(self, said: Said) -> None:
        """Apply one statement, separately for each thing that it names."""
        if len(said.things) > 1 and said.name not in TOPICS:
            for thing in said.things:
                self.take(replace(said, things=(thing,)))
            return
        found = [one for one in self.documents if not one.removed and _is_about(one.content, said)]
        kind = self._kind_for(said)
        if said.name in {"forget", "gone"}:
            for one in found:
                one.removed = said.name == "forget" or level_of(one.content) >= 50
        elif found and kind:
            _update(found[0].content, _content(kind, said), said)
        if not found and kind and said.name != "forget":
            self.documents.append(Document(kind=kind.name, content=_content(kind, said)))

    def _kind_for(self, said: Said) -> Tool | None:
        """Return the kind for a statement, else LangMem's own `Memory`, else None.

        An operator's own kind is never chosen: what its fields mean is not known here.
        """
        told = {"instruct": "instruction", "episode": "observation"}.get(said.name)
        domain = {"food": "food_name", "drink": "food_name", "tech": "topic"}.get(said.domain)
        named = {"promise": "promise", **dict.fromkeys(TOPICS, "fact")}.get(said.name, domain)
        wanted = told or named or "fact"
        general = "instruction" if told else "fact"
        for name in (wanted, general, "content"):
            if found := [kind for kind in self._kinds if name in kind.fields]:
                return found[0]
        return None


def _update(content: dict[str, Any], new: dict[str, Any], said: Said) -> None:
    """Update a memory with a statement; for a preference, its level if that changed."""
    if name_of(content):
        old = level_of(content)
        same = old >= said.level >= 50 or old <= said.level < 50
        if same and said.name != "special":
            return
        kept = {"food_name", "topic", *(LEVELS if same else ())}
        new = {name: value for name, value in new.items() if name not in kept}
        if "description" in content:
            new = {"description": None, **new}
    if without_marks(said.clause) not in content.values() or name_of(content):
        content |= new


def _is_about(content: Mapping[str, Any], said: Said) -> bool:
    if said.name == "forget":
        return mentions(content, said.subject)
    if name := name_of(content):
        return singular(name) in _abouts(said)
    texts = {normalise(str(value)) for value in content.values()}
    topics = {names[0] for names in TOPICS.values() if content.get("topic") in names}
    told = {about for one in told_in(content) for about in _abouts(one)}
    return bool(_abouts(said) & (texts | topics | told))


def _abouts(said: Said) -> set[str]:
    """Return the subjects of a statement, normalised for comparison."""
    if said.name == "instruct":
        return {f"instruct {gap}" for gap in said.gaps}
    if said.name in {"home", "work"}:
        return {said.name}
    topic = f"{said.name} " if said.name in TOPICS else ""
    return {topic + singular(thing) for thing in (said.things if topic else (said.subject,))}


def _content(kind: Tool, said: Said) -> dict[str, Any]:
    """Return an object of a kind with the content of a statement.

    The description is the sentence, unless it only says that its subject is liked or of interest.
    """
    clause = without_marks(said.clause)
    values: dict[str, Any] = {"instruction": clause, "evidence": said.quote, **said.gaps}
    thing = clause
    if said.name in TOPICS:
        values["topic"] = TOPICS[said.name][is_japanese(said.quote)]
    elif "fact" not in kind.fields and {"food_name", "topic"} & kind.fields:
        thing = said.subject
        values |= {"food_name": thing, "topic": thing} | dict.fromkeys(LEVELS, said.level)
        plain = {"interest"} if said.domain == "tech" else {"like", "dislike"}
        if said.name not in plain or "more" in said.gaps:
            values["description"] = clause
    filled: dict[str, Any] = fill.fill(kind.parameters, thing)
    return filled | {name: value for name, value in values.items() if name in kind.fields}
