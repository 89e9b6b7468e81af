"""The readable file beside the JSON of an export: what is remembered, and the conversations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from bot.acts.blocks import one_line
from bot.acts.lines import asked_text, describe
from bot.locale import Localizer
from memory.model import Json

# What Markdown reads as markup anywhere in a line, and what it does at the beginning of one.
_MARKUP = re.compile(r"[\\`*_\[\]<>&~|#$]")
_BEGINNING = re.compile(r"^(\d*)([-+=.):])")
_BREAK = "  \n"


def export_markdown(localizer: Localizer, document: Json) -> str:
    """Return an export as Markdown in which everything that somebody wrote is plain text.

    `document` is described in docs/reference/export.md. Source: https://spec.commonmark.org/0.31.2/
    """
    parts = [f"# {localizer.say('export_heading')}"]
    if memories := document["memories"]:
        parts.append(f"## {localizer.say('panel_title')}")
        parts.append("\n".join(_memory(localizer, memory) for memory in memories))
    if messages := [*_exchanges(localizer, document["messages"])]:
        parts.append(f"## {localizer.say('export_talks')}")
        parts += messages
    return "\n\n".join(parts) + "\n"


def _memory(localizer: Localizer, memory: Json) -> str:
    item = f"- {_escaped(describe(localizer, str(memory['kind']), memory['content']))}"
    details: list[str] = []
    if day := memory.get("said_on"):
        details.append(localizer.stored_day(day))
    sources = memory.get("sources") or [{}]
    if sentence := sources[-1].get("evidence"):
        details.append(localizer.say("row_said", what=one_line(sentence)))
    if details:
        item += f"{_BREAK}  {_escaped(' · '.join(details))}"
    return item


def _exchanges(localizer: Localizer, messages: Sequence[Json]) -> Iterator[str]:
    for message in messages:
        said = str(message.get("question") or message.get("text") or "")
        if not said:
            continue
        when = datetime.fromtimestamp(float(message["ts"]), UTC)
        yield f"### {localizer.minute(when)}"
        yield _text(asked_text(localizer, said))
        if reply := str(message.get("reply") or ""):
            yield _text(reply, "> ")


def _text(text: str, prefix: str = "") -> str:
    """Return text as Markdown that shows its lines as they are, each after `prefix`."""
    return _BREAK.join(f"{prefix}{_escaped(line)}" for line in text.splitlines())


def _escaped(line: str) -> str:
    """Return a line of text as Markdown. Its indentation becomes spaces that do not make code."""
    text = line.strip()
    indent = "\N{NO-BREAK SPACE}" * (len(line.rstrip()) - len(text))
    marked = _MARKUP.sub(r"\\\g<0>", text)
    return indent + _BEGINNING.sub(r"\1\\\2", marked)
