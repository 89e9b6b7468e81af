"""What a reply prompt says about the person: its memories and their recent words."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from playground.model.lexicon import Domain, domain_of, is_japanese, normalise, singular
from playground.model.prompt import Prompt
from playground.model.statements import Statement, read_statements

_BLOCK: Final = r"<{name}>\s*(?P<body>.*?)\s*</{name}>"
_STORED: Final = re.compile(
    r"'kind': '(?P<kind>\w+)', 'content': "
    r"(?P<content>\{(?:[^{}'\"]|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")*\})"
)
# What mem0's own quickstart puts into the system prompt.
_SENTENCES: Final = re.compile(r"^User Memories:\n(?P<body>(?:- .*\n?)+)", re.M)
# What somebody else in the thread wrote, marked as such by the app.
_OTHERS: Final = re.compile(r"\[another person\b[^\]]*\]")
_NAMES: Final = ("food_name", "topic", "name", "title", "content", "text")
_LEVELS: Final = ("preference", "interest_level", "level", "score")
_DETAILS: Final = ("description", "details", "note", "notes")


@dataclass(frozen=True, kw_only=True)
class Known:
    """One thing known: its name, how much it is liked (0-100, None if unsaid), details."""

    name: str
    domain: Domain | None
    level: int | None
    detail: str
    diet: bool = False

    @property
    def liked(self) -> bool:
        """Whether it may be suggested."""
        return self.level is None or self.level >= 40


def known_about(prompt: Prompt) -> list[Known]:
    """Everything the prompt lets the model know, what was said last counting most."""
    found: dict[str, Known] = {}
    for one in _memories(prompt.instructions):
        found[singular(one.name)] = one
    for entry in _search_results(prompt):
        _read(found, entry)
    earlier = [turn.text for turn in prompt.turns if turn.role == "user"][:-1]
    earlier = [text for text in earlier if not _OTHERS.match(text)]
    told = [*_sentences(prompt.instructions), *_recent_words(prompt.instructions), *earlier]
    for words in told:
        for said in read_statements(words):
            _hear(found, said)
    return list(found.values())


def _search_results(prompt: Prompt) -> list[dict[str, Any]]:
    """What a search tool brought since the person's newest words."""
    outputs = [
        _json(result.output)
        for result in prompt.fresh_results
        if isinstance(called := _json(result.arguments), dict) and "query" in called
    ]
    return [
        entry
        for output in outputs
        if isinstance(output, list)
        for entry in output
        if isinstance(entry, dict)
    ]


def _read(found: dict[str, Known], entry: dict[str, Any]) -> None:
    """Take in one memory, which may be a sentence of the person's."""
    value = entry.get("value", entry)
    content = value.get("content", value) if isinstance(value, dict) else value
    said = read_statements(content) if isinstance(content, str) else []
    for one in said:
        _hear(found, one)
    kind = str(value.get("kind", "")) if isinstance(value, dict) else ""
    if not said and (memory := _memory(kind, content)):
        found[singular(memory.name)] = memory


def _hear(found: dict[str, Known], said: Statement) -> None:
    key = singular(said.subject)
    if said.stance in {"instruct", "episode"}:
        return
    if said.stance in {"forget", "lost"}:
        found.pop(key, None)
        return
    level: int | None = said.strength
    if said.stance == "diet" or said.stance == "fact":
        level = None
    found.pop(key, None)
    found[key] = Known(
        name=said.special or said.subject,
        domain=said.domain,
        level=level,
        detail=said.detail,
        diet=said.stance == "diet",
    )


def _body(name: str, instructions: str) -> str:
    blocks = re.findall(_BLOCK.format(name=name), instructions, re.S)
    return "\n".join(blocks)


def _memories(instructions: str) -> list[Known]:
    body = "\n".join(_body(name, instructions) for name in ("memories", "episodes"))
    found = []
    for line in body.splitlines():
        value = _json(line)
        if isinstance(value, dict):
            content = value.get("content", value)
            found.append(_memory(str(value.get("kind", "")), content))
    if not found:
        for match in _STORED.finditer(body):
            try:
                found.append(_memory(match["kind"], ast.literal_eval(match["content"])))
            except (ValueError, SyntaxError):
                continue
    return [one for one in found if one is not None]


def _sentences(instructions: str) -> list[str]:
    """Memories that are the person's own sentences, a line each."""
    found = _SENTENCES.search(instructions)
    return [line.removeprefix("- ") for line in found["body"].splitlines()] if found else []


def wishes(prompt: Prompt) -> list[str]:
    """How the person wants to be answered."""
    lines = map(_json, _body("preferences", prompt.instructions).splitlines())
    return [line for line in lines if isinstance(line, str)]


def _recent_words(instructions: str) -> list[str]:
    lines = (_json(line) for line in _body("recent_words", instructions).splitlines())
    return [line for line in lines if isinstance(line, str)]


def _json(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _memory(kind: str, content: Any) -> Known | None:
    if isinstance(content, str):
        content = {"content": content}
    if not isinstance(content, dict):
        return None
    if isinstance(content.get("fact"), str):
        return _fact(content["fact"])
    if isinstance(content.get("observation"), str):
        tried = " → ".join(str(content[one]) for one in ("action", "result") if content.get(one))
        return Known(name=content["observation"], domain=None, level=None, detail=tried)
    texts = {name: value for name, value in content.items() if isinstance(value, str) and value}
    names = [texts[name] for name in _NAMES if name in texts] or list(texts.values())
    if not names:
        return None
    name = names[0]
    detail = next((texts[one] for one in _DETAILS if one in texts), "")
    level = next((content[one] for one in _LEVELS if isinstance(content.get(one), int)), None)
    return Known(
        name=name,
        domain=_domain(kind, content, name),
        level=level,
        detail=detail,
        diet=_is_diet(name, detail, level),
    )


def _fact(text: str) -> Known:
    """A fact as it was said; of an allergy the name of the food."""
    restrictions = [one for one in read_statements(text) if one.stance == "diet"]
    if restrictions:
        return Known(
            name=restrictions[0].subject, domain="food", level=None, detail=text, diet=True
        )
    return Known(name=text, domain=None, level=None, detail="")


def _domain(kind: str, content: dict[str, Any], name: str) -> Domain | None:
    hints = " ".join([kind, *content]).lower()
    if "food" in hints or "cuisine" in hints:
        return "food"
    if "tech" in hints or "topic" in hints:
        return "tech"
    said = read_statements(name)
    return domain_of(name) or (said[0].domain if said else None)


def _is_diet(name: str, detail: str, level: int | None) -> bool:
    words = normalise(f"{name} {detail}")
    allergic = bool(re.search(r"allerg|アレルギー|intoleran|食べられ|can't eat|don't eat", words))
    diet = bool(
        re.search(
            r"vegetarian|vegan|pescatarian|ベジタリアン|ヴィーガン|ビーガン|菜食|halal|"
            r"ハラール|gluten.free|グルテンフリー|kosher|keto",
            words,
        )
    )
    return (allergic and level is None) or diet


def favourites(known: list[Known], domain: Domain) -> list[Known]:
    """What of this kind may be suggested, the most liked first."""
    liked = [one for one in known if one.domain == domain and one.liked and not one.diet]
    return sorted(liked, key=lambda one: -(70 if one.level is None else one.level))


_PLAIN_WORDS: Final = frozenset(
    [
        "a",
        "an",
        "the",
        "my",
        "some",
        "any",
        "more",
        "and",
        "or",
        "of",
        "to",
        "in",
        "is",
        "are",
        "like",
        "likes",
        "love",
        "loves",
        "enjoy",
        "prefer",
        "want",
        "eat",
        "eating",
        "really",
        "about",
        "for",
        "than",
        "best",
        "favorite",
        "favourite",
        "good",
        "no",
        "not",
        "hot",
        "the",
    ]
)


def label(one: Known) -> str:
    """Its name, with the particular kind that its details speak of: 味噌ラーメン of ラーメン."""
    if one.domain != "food":
        return one.name
    if is_japanese(one.name):
        pattern = rf"[^\s、。,.「」はがもをにのと]+{re.escape(one.name)}"
        match = re.search(pattern, one.detail)
        return match.group() if match else one.name
    match = re.search(rf"\b([\w-]+) {re.escape(one.name)}\b", one.detail, re.IGNORECASE)
    if match is None or match.group(1).lower() in _PLAIN_WORDS:
        return one.name
    return match.group()
