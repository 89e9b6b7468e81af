"""Whether memory is on, in words: below a reply, and after it was switched."""

from __future__ import annotations

from bot.locale import Language, say
from bot.person.settings import Off, PersonSettings
from bot.surfaces.blocks import Block, Payload, button, private, section
from bot.surfaces.dates import minute

RESUME_ACTION = "resume_memory"
AGREE_ACTION = "agree_to_memory"
REFUSE_ACTION = "refuse_memory"


def off_line(language: Language, off: Off, settings: PersonSettings) -> str:
    """Return one sentence about why memory is off, as mrkdwn."""
    if off == "paused" and settings.paused_until is not None:
        until = minute(settings.paused_until, settings.zone, language)
        return say(language, "off_paused_until", until=until)
    keys: dict[Off, str] = {
        "paused": "off_paused",
        "incognito": "off_incognito",
        "not_agreed": "off_not_agreed",
        "refused": "off_refused",
        "deactivated": "off_deactivated",
    }
    return say(language, keys[off])


def paused_notice(language: Language, settings: PersonSettings) -> Payload:
    """Return what a pause means, with the button that ends it."""
    line = off_line(language, "paused", settings)
    text = f"{line}\n{say(language, 'paused_means')}"
    resume = button(RESUME_ACTION, say(language, "resume_button"), "resume")
    return private(text, [section(text), {"type": "actions", "elements": [resume]}])


def consent_question(language: Language) -> Payload:
    """Return the question whether the person wants to be remembered, with its two buttons."""
    text = say(language, "consent_ask")
    return private(text, [section(text), consent_buttons(language)])


def consent_buttons(language: Language) -> Block:
    """Return the two answers."""
    agree = button(AGREE_ACTION, say(language, "consent_agree"), "agree", style="primary")
    refuse = button(REFUSE_ACTION, say(language, "consent_refuse"), "refuse")
    return {"type": "actions", "elements": [agree, refuse]}
