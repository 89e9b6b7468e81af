"""The readable page beside the JSON of an export: what is remembered, and the conversations."""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import UTC, datetime

from bot.locale import Localizer
from bot.types import KEPT_ANSWER
from bot.ui.lines import asked_text, describe
from memory.model import Json

_STYLE = (
    "body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem;"
    " font: 1rem/1.6 system-ui, sans-serif; overflow-wrap: anywhere; }"
    " small { color: #555; } li { white-space: pre-wrap; }"
    " blockquote { margin: 0; border-left: 3px solid #ddd; padding-left: 1rem; }"
)


def export_page(localizer: Localizer, document: Json) -> str:
    """Return an export as an HTML page without references to anything outside itself.

    `document` is described in docs/reference/export.md.
    """
    title = html.escape(localizer.say("export_page_title"))
    memories = _memory_items(localizer, document["memories"])
    messages = _message_items(localizer, document["messages"])
    sections = [
        _section(localizer.say("panel_title"), memories),
        _section(localizer.say("export_page_talks"), messages),
    ]
    return (
        f'<!doctype html>\n<html lang="{localizer.language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{title}</h1>\n"
        f"{''.join(sections)}</body>\n</html>\n"
    )


def _section(title: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    return f"<h2>{html.escape(title)}</h2>\n<ul>\n{''.join(items)}</ul>\n"


def _memory_items(localizer: Localizer, memories: Sequence[Json]) -> list[str]:
    items: list[str] = []
    for memory in memories:
        kind = str(memory["kind"])
        content = memory["content"]
        line = describe(localizer, kind, content)
        details: list[str] = []
        if day := memory.get("said_on"):
            details.append(localizer.stored_day(day))
        sources = memory.get("sources") or [{}]
        if sentence := sources[-1].get("evidence"):
            details.append(localizer.say("row_said", what=sentence))
        items.append(_item(line, " · ".join(details)))
    return items


def _message_items(localizer: Localizer, messages: Sequence[Json]) -> list[str]:
    items: list[str] = []
    for message in messages:
        said = str(message.get("question") or message.get("text") or "")
        if not said:
            continue
        when = datetime.fromtimestamp(float(message["ts"]), UTC)
        reply = str(message.get("reply") or "")
        if reply == KEPT_ANSWER:
            reply = localizer.say("export_page_kept_answer")
        answer = ""
        if reply:
            answer = f"<blockquote>{html.escape(reply)}</blockquote>"
        asked = asked_text(localizer, said)
        items.append(_item(asked, localizer.minute(when), answer))
    return items


def _item(text: str, details: str, more: str = "") -> str:
    item = html.escape(text)
    if details:
        item += f"<br><small>{html.escape(details)}</small>"
    return f"<li>{item}{more}</li>\n"
