"""How a person wants to be answered, and what they tell of having tried."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from playground.model import fill
from playground.model.prompt import Tool
from playground.model.statements import Statement, without_marks

_ANSWERS_EN: Final = r"(?:answers?|repl(?:y|ies)|responses?|explanations?)"
_FORM_EN: Final = (
    r"(?:bullet(?:ed)?(?: points?| lists?)?|bullets|lists?|tables?|one sentence|short|brief\w*"
    r"|concise\w*|detail\w*|long|formal\w*|casual\w*|polite\w*|plain \w+|simple \w+"
    r"|english|japanese|emojis?|jargon|markdown)"
)
_INSTRUCTION_EN: Final = re.compile(
    r"^(?:(?:please|always|from now on|and|kioku)[,]? )*(?:"
    rf"(?:answer|reply|respond|write|explain)\b.{{0,30}}\b{_FORM_EN}\b"
    rf"|keep (?:your |all |the )*{_ANSWERS_EN}\b.{{0,20}}\b{_FORM_EN}\b"
    rf"|(?:don't|do not|never) use \b.{{0,20}}{_FORM_EN}\b"
    r"|i(?:'d)? (?:always )?(?:want|prefer|like)\b"
    rf"(?:.{{0,20}}\b{_ANSWERS_EN}\b.{{0,20}}\b{_FORM_EN}\b| {_FORM_EN} {_ANSWERS_EN}\b)"
    r").{0,40}$",
    re.IGNORECASE,
)
_FORM_JA: Final = (
    r"箇条書き|短く|短め|簡潔|手短|詳しく|丁寧|敬語|タメ口|英語|日本語|絵文字|表|一文|専門用語"
)
_INSTRUCTION_JA: Final = re.compile(
    rf"(?:{_FORM_JA})[^。]{{0,14}}(?:答え|回答|返事|返信|説明|書い|使わな|にし)"
    r"(?:い|し)?(?:て|で|る|ます|ほしい)"
    rf"|(?:答え|回答|返事|返信|説明)は[^。]{{0,12}}(?:{_FORM_JA})"
)
_EPISODE_EN: Final = re.compile(
    r"^(?P<observation>.{8,120}?)[,;]? (?:so |and |then )?(?:i|we) tried (?P<action>.{3,80}?)[,;]?"
    r" (?:and|but) (?P<result>(?:it|that|this|now|the)\b.{3,80})$",
    re.IGNORECASE,
)
_EPISODE_JA: Final = re.compile(
    r"^(?P<observation>.{4,60}?)(?:ので|ため|たとき|とき)、?(?P<action>.{2,40}?)を?(?:試し|やってみ)"
    r"(?:たところ|たら)、?(?P<result>.{2,60})$"
)
_ASPECTS: Final = (
    r"bullet|list|table|箇条書き|表",
    r"short|brief|concise|detail|long|one sentence|短|簡潔|詳し|一文|手短",
    r"formal|casual|polite|敬語|タメ口|丁寧",
    r"\benglish|\bjapanese|英語|日本語",
    r"emoji|絵文字",
    r"jargon|専門用語",
)


def read(sentence: str) -> Statement | None:
    """What a sentence says of how to answer, or of something tried; None if neither."""
    plain = without_marks(sentence)
    if sentence.rstrip().endswith(("?", "？")):
        return None
    if _INSTRUCTION_EN.search(plain) or _INSTRUCTION_JA.search(plain):
        return Statement(
            stance="instruct", subject=plain, strength=100, quote=sentence, detail=plain
        )
    told = _EPISODE_EN.match(plain) or _EPISODE_JA.match(plain)
    if told is None:
        return None
    return Statement(
        stance="episode",
        subject=told["observation"],
        strength=100,
        quote=sentence,
        detail=plain,
        action=told["action"],
        result=told["result"],
    )


def tool_for(tools: Mapping[str, Tool], said: Statement) -> Tool | None:
    """The schema that is for it."""
    wanted = "instruction" if said.stance == "instruct" else "observation"
    return next(
        (tool for tool in tools.values() if wanted in tool.parameters.get("properties", {})), None
    )


def content_of(said: Statement, tool: Tool) -> dict[str, Any]:
    """What to store of it in that schema."""
    content: dict[str, Any] = {
        name: said.quote
        for name in fill.QUOTE_FIELDS
        if fill.accepts(tool.parameters, name, "string")
    }
    if said.stance == "instruct":
        return {**content, "instruction": said.subject}
    return {
        **content,
        "observation": said.subject,
        "action": said.action,
        "result": said.result,
    }


def same_aspect(one: str, other: str) -> bool:
    """Whether two wishes are about the same side of an answer: its form, length, tone, language."""
    return any(
        re.search(aspect, one, re.IGNORECASE) and re.search(aspect, other, re.IGNORECASE)
        for aspect in _ASPECTS
    )


def as_wished(text: str, wishes: list[str]) -> str:
    """Give an answer the form the person wishes; of all wishes these rules know bullet points."""
    if not any(re.search(r"bullet|箇条書き", wish, re.IGNORECASE) for wish in wishes):
        return text
    if re.search(r"^\s*(?:[-*]|\d+\.) ", text, re.MULTILINE):
        return text
    parts = re.split(r"(?<=[。！？!?])\s*|(?<=[.])\s+", text)
    return "\n".join(f"- {part.strip()}" for part in parts if part and part.strip())
