"""Messages about what a tool changed for a person, with the Undo."""

from __future__ import annotations

from bot.locale import Language, say
from bot.types import PersonSettings
from bot.views.blocks import Block, Payload, button, ephemeral_payload, section
from bot.views.memory_state import (
    REFUSE_ACTION,
    RESUME_ACTION,
    incognito_button,
    incognito_notice,
    memory_off_text,
)
from bot.views.settings import language_name

UNDO_CONTROL_ACTION = "undo_control"
DELETE_WITHHELD_ACTION = "delete_withheld"


def settings_changed_notice(
    language: Language,
    settings: PersonSettings,
    *,
    paused: bool,
    notices: bool,
    chose_language: bool,
    quiet: bool,
    incognito: str | None,
    withheld: str,
    undo: str,
) -> Payload:
    """Return what was done and its buttons.

    `incognito` names the switch that is on now. `withheld` is the value of the button that deletes
    withheld texts, ``""`` for none; `undo` that of the button that takes everything back.
    """
    lines = []
    if paused:
        lines += [memory_off_text(language, "paused", settings), say(language, "paused_means")]
    if notices:
        key = "settings_notices_on" if settings.notices else "settings_notices_off"
        lines.append(say(language, key))
    if chose_language:
        name = language_name(language, settings.language)
        lines.append(say(language, "settings_language", name=name))
    if incognito is not None:
        lines.append(incognito_notice(language, incognito, on=True)["text"])
    if quiet:
        lines.append(say(language, "quiet_done"))
    if withheld:
        lines.append(say(language, "withheld_done"))
    elements = [button(UNDO_CONTROL_ACTION, say(language, "undo_button"), undo)]
    if paused:
        elements.append(button(RESUME_ACTION, say(language, "resume_button"), "resume"))
    if incognito is not None:
        elements.append(incognito_button(language, incognito))
    if withheld:
        delete = say(language, "withheld_delete_button")
        elements.append(button(DELETE_WITHHELD_ACTION, delete, withheld))
    text = "\n".join(lines)
    return ephemeral_payload(text, [section(text), {"type": "actions", "elements": elements}])


def refusal_question(language: Language) -> Payload:
    """Return the question before memory is switched off, with what would be lost."""
    text = say(language, "refuse_ask")
    refuse = button(REFUSE_ACTION, say(language, "settings_turn_off"), "refuse")
    actions: Block = {"type": "actions", "elements": [refuse]}
    return ephemeral_payload(text, [section(text), actions])


def resume_question(language: Language, settings: PersonSettings) -> Payload:
    """Return that memory is paused, with the button that ends it."""
    text = f"{memory_off_text(language, 'paused', settings)}\n{say(language, 'resume_ask')}"
    resume = button(RESUME_ACTION, say(language, "resume_button"), "resume")
    return ephemeral_payload(text, [section(text), {"type": "actions", "elements": [resume]}])
