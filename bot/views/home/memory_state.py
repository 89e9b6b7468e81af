"""Whether memory is on, and the switch, at the top of App Home."""

from __future__ import annotations

from bot.locale import Language, say
from bot.types import Incognito, MemoryOffReason, PersonSettings, Refusal
from bot.views.blocks import Block, button, plain_text, section
from bot.views.dates import minute
from bot.views.memory_state import (
    AGREE_ACTION,
    RESUME_ACTION,
    consent_buttons,
    memory_off_text,
)
from bot.views.modal_triggers import ADD_ACTION, SETTINGS_ACTION

PAUSE_ACTION = "home_pause"
INCOGNITO_ACTION = "home_incognito"
_PAUSES = {
    "hour": "settings_memory_hour",
    "tomorrow": "settings_memory_tomorrow",
    "open": "settings_memory_open",
}


def memory_state_blocks(
    language: Language,
    settings: PersonSettings,
    off: MemoryOffReason | None,
    refusal: Refusal | None = None,
) -> list[Block]:
    """Return whether memory is on, what that means, and what switches it.

    `refusal`: the operator has not opened the app to this person.
    """
    if refusal is not None:
        return [section(say(language, refusal))]
    if off == "not_agreed":
        return [section(say(language, "consent_ask")), consent_buttons(language)]
    more = [button(SETTINGS_ACTION, say(language, "settings_change"), "settings")]
    if off is None:
        add = button(ADD_ACTION, say(language, "home_add"), "add", style="primary")
        text = f"*{say(language, 'settings_on')}* {say(language, 'home_on_means')}"
        return [section(text), _actions(add, _pause(language), *more)]
    if off == "paused":
        text = f"*{_paused(language, settings)}*"
        resume = button(RESUME_ACTION, say(language, "resume_button"), "resume", style="primary")
        return [section(f"{text} {say(language, 'paused_means')}"), _actions(resume, *more)]
    if off == "refused":
        text = f"*{say(language, 'home_off')}*"
        agree = button(AGREE_ACTION, say(language, "settings_turn_on"), "agree", style="primary")
        return [section(f"{text} {say(language, 'home_off_means')}"), _actions(agree, *more)]
    return [section(f"*{memory_off_text(language, off, settings)}*")]


def incognito_blocks(
    language: Language,
    incognito: Incognito,
    off: MemoryOffReason | None,
    refusal: Refusal | None = None,
) -> list[Block]:
    """Return where incognito is on, with its switch; nothing if memory is not available anyway."""
    if refusal is not None or off not in (None, "paused"):
        return []
    if not incognito:
        text, key, value = say(language, "home_incognito_off"), "incognito_on_button", "on"
    else:
        places = [say(language, "home_incognito_dm")] if incognito.direct else []
        if incognito.threads:
            places.append(say(language, "home_incognito_threads", count=incognito.threads))
        where = say(language, "listed").join(places)
        text = say(language, "home_incognito_on", where=where)
        key, value = "incognito_off_button", "off"
    switch = button(INCOGNITO_ACTION, say(language, key), value)
    return [{**section(text), "accessory": switch}]


def _paused(language: Language, settings: PersonSettings) -> str:
    if settings.paused_until is None:
        return say(language, "home_paused")
    until = minute(settings.paused_until, settings.zone, language)
    return say(language, "home_paused_until", until=until)


def _actions(*elements: Block) -> Block:
    return {"type": "actions", "elements": list(elements)}


def _pause(language: Language) -> Block:
    return {
        "type": "static_select",
        "action_id": PAUSE_ACTION,
        "placeholder": plain_text(say(language, "home_pause")),
        "options": [
            {"text": plain_text(say(language, key)), "value": value}
            for value, key in _PAUSES.items()
        ],
    }
