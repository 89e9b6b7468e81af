"""A reply: its Markdown, sources and footer."""

from __future__ import annotations

from bot.locale import Language, say
from bot.person_settings import Standing
from bot.reply import Reply
from bot.surfaces.blocks import Block, note
from bot.surfaces.standing import off_line

# A markdown block takes 12,000 characters a message, all blocks together about 13,200.
PART_LIMIT = 11_500
_FALLBACK_LIMIT = 3_900


def reply_text(language: Language, reply: Reply) -> str:
    """Return a reply's whole Markdown, citations as links below it."""
    text = reply.text.rstrip()
    if reply.cut_short:
        text += "\n\n" + say(language, "cut_short")
    if reply.citations:
        links = "\n".join(f"- [{_label(c.title)}]({c.url})" for c in reply.citations)
        text += f"\n\n**{say(language, 'sources')}**\n{links}"
    return text


def _label(title: str) -> str:
    return title.replace("[", "(").replace("]", ")").replace("\n", " ").strip() or "link"


def footer(language: Language, *, stand_in: bool, standing: Standing | None = None) -> list[Block]:
    """Return what stands below every answer; `standing` says whether memory was on for it."""
    lines = [say(language, "footer")]
    if stand_in:
        lines.append(say(language, "footer_stand_in"))
    if standing is not None and standing.off:
        lines.append(off_line(language, standing.off, standing.settings))
    elif standing is not None and standing.introduces:
        lines.append(say(language, "footer_memory"))
    return [note(*lines)]


def message_blocks(text: str, below: list[Block]) -> list[Block]:
    """Return one message of a reply as blocks."""
    return [{"type": "markdown", "text": text}, *below]


def fallback(text: str) -> str:
    """Return the plain text for notifications and screen readers."""
    return text if len(text) <= _FALLBACK_LIMIT else text[: _FALLBACK_LIMIT - 1] + "…"
