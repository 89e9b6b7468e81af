"""The offer of a file with everything about a person."""

from __future__ import annotations

from bot.locale import Language, say
from bot.views.blocks import Payload, button, question_payload

EXPORT_ACTION = "export_memories"


def export_offer(language: Language) -> Payload:
    """Return the offer of everything as a file, with its button."""
    text = say(language, "export_ask")
    send = button(EXPORT_ACTION, say(language, "export_button"), "export")
    return question_payload(text, send)
