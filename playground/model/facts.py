"""Facts about a person that are neither a taste nor an interest: allergies, a home, a job."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from playground.model import fill
from playground.model.lexicon import is_japanese, normalise, singular
from playground.model.prompt import Tool
from playground.model.statements import Statement, without_marks

_GENERAL: Final = re.compile(r"fact|note|memory|anything", re.IGNORECASE)
_TOPIC_FIELDS: Final = ("topic", "category", "subject")
_ALLERGIC: Final = re.compile(r"allerg|intoleran|アレルギー", re.IGNORECASE)
_TOPICS: Final = (
    (r"\b(?:live|moved|based)\b|住んで|引っ越", "home", "住まい"),
    (r"\bname\b|名前", "name", "名前"),
    (r"\b(?:birthday|born)\b|誕生日|生まれ", "birthday", "誕生日"),
    (r"\b(?:work|job|profession)\b|働いて|仕事", "work", "仕事"),
    (r"\b(?:from|grew up)\b|出身", "origin", "出身"),
)
"""A person has one of each: a new one takes the place of the old."""


def is_general(tool: Tool) -> bool:
    """Whether the schema is named as one for anything."""
    return bool(_GENERAL.search(tool.name))


def is_fact(said: Statement) -> bool:
    """Whether a schema for facts holds it better than one for tastes or interests."""
    return said.stance == "fact" or said.domain is None or is_restriction(said)


def is_restriction(said: Statement) -> bool:
    """Whether it is something the person cannot or does not eat: no dish that they like."""
    return said.stance == "diet" and said.strength == 0


def text_field(tool: Tool) -> str | None:
    """The field of a general schema that takes the fact itself."""
    required = tool.parameters.get("required", [])
    names = [name for name in required if name not in fill.QUOTE_FIELDS]
    return next((name for name in names if fill.accepts(tool.parameters, name, "string")), None)


def text_of(said: Statement) -> str:
    """The fact, in the person's own words."""
    return without_marks(said.detail)


def topic_of(said: Statement) -> tuple[str | None, bool]:
    """What the fact is about, and whether a person has one such fact only."""
    japanese = is_japanese(said.quote)
    if said.stance == "diet":
        if _ALLERGIC.search(said.detail):
            return ("アレルギー" if japanese else "allergy"), False
        return ("食事" if japanese else "diet"), False
    if said.stance != "fact":
        return None, False
    for pattern, english, topic in _TOPICS:
        if re.search(pattern, said.detail, re.IGNORECASE):
            return (topic if japanese else english), True
    return None, False


def topic_field(schema: Mapping[str, Any]) -> str | None:
    """The field of a general schema that says what the fact is about."""
    return next((one for one in _TOPIC_FIELDS if fill.accepts(schema, one, "string")), None)


def speaks_of(content: Mapping[str, Any], subject: str) -> bool:
    """Whether a stored fact names `subject`."""
    name = singular(subject)
    texts = " ".join(str(value) for value in content.values() if isinstance(value, str))
    return bool(name) and name in normalise(texts)
