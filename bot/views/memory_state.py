"""Whether memory is on, in words: below a reply, and after it was switched."""

from __future__ import annotations

from bot.locale import Language, say
from bot.types import DIRECT, ConsentMode, MemoryOffReason, PersonSettings
from bot.views.blocks import (
    Block,
    Payload,
    button,
    ephemeral_payload,
    question_payload,
)
from bot.views.dates import minute

RESUME_ACTION = "resume_memory"
INCOGNITO_OFF_ACTION = "incognito_off"
END_INCOGNITO_ACTION = "end_incognito"
AGREE_ACTION = "agree_to_memory"
REFUSE_ACTION = "refuse_memory"


def memory_off_text(language: Language, off: MemoryOffReason, settings: PersonSettings) -> str:
    """Return one sentence about why memory is off, as mrkdwn."""
    if off == "paused" and settings.paused_until is not None:
        until = minute(settings.paused_until, settings.zone, language)
        return say(language, "off_paused_until", until=until)
    keys: dict[MemoryOffReason, str] = {
        "paused": "off_paused",
        "incognito": "off_incognito",
        "not_agreed": "off_not_agreed",
        "refused": "off_refused",
        "deactivated": "off_deactivated",
    }
    return say(language, keys[off])


def no_pause_text(language: Language, settings: PersonSettings, consent: ConsentMode) -> str | None:
    """Return the sentence that memory is off without a pause, which then cannot begin; or None."""
    off = settings.off_reason(consent)
    if off in (None, "paused"):
        return None
    return memory_off_text(language, off, settings)


def memory_on_notice(language: Language, text: str, *, incognito: bool) -> Payload:
    """Return that memory is on; `incognito`: not in direct messages, with the button for that."""
    if not incognito:
        return ephemeral_payload(text)
    text = f"{text} {say(language, 'incognito_still')}"
    return question_payload(text, incognito_button(language, DIRECT))


def agreed_in_pause_notice(language: Language, settings: PersonSettings) -> Payload:
    """Return from when on the person is remembered who agreed during a pause, with its end."""
    text = say(language, "consent_agreed_paused")
    if settings.paused_until is not None:
        until = minute(settings.paused_until, settings.zone, language)
        text = say(language, "consent_agreed_paused_until", until=until)
    return question_payload(text, resume_button(language))


def not_added_notice(language: Language, off: MemoryOffReason, settings: PersonSettings) -> Payload:
    """Return why nothing was added; in a pause with the button that ends it."""
    if off == "paused":
        return question_payload(say(language, "add_paused"), resume_button(language))
    return ephemeral_payload(memory_off_text(language, off, settings))


def paused_notice(
    language: Language, settings: PersonSettings, before: PersonSettings | None = None
) -> Payload:
    """Return what a pause means, with the button that ends it.

    `before`: the settings before it; the time at which an earlier pause would have ended is named.
    """
    lines = [memory_off_text(language, "paused", settings), say(language, "paused_means")]
    earlier = before.paused_until if before is not None and before.paused else None
    if earlier is not None and earlier != settings.paused_until:
        until = minute(earlier, settings.zone, language)
        lines.append(say(language, "paused_instead", until=until))
    return question_payload("\n".join(lines), resume_button(language))


def resume_button(language: Language, **more: str) -> Block:
    """Return the button that ends a pause; `more` are its other fields."""
    return button(RESUME_ACTION, say(language, "resume_button"), "resume", **more)


def incognito_line(language: Language, scope: str) -> str:
    """Return the line below a reply to what was written incognito."""
    return say(language, "off_incognito_dm" if scope == DIRECT else "off_incognito")


def incognito_button(language: Language, scope: str, *, below_reply: bool = False) -> Block:
    """Return the button that ends incognito where `scope` says.

    Its answer takes the place of the message, unless that is a reply.
    """
    action = INCOGNITO_OFF_ACTION if below_reply else END_INCOGNITO_ACTION
    return button(action, say(language, "incognito_off_button"), scope)


def incognito_notice(
    language: Language, scope: str, *, on: bool, elsewhere: bool = False, more: str | None = None
) -> Payload:
    """Return what incognito means, now that it is on or off.

    `elsewhere`: it was requested in a channel, which has a switch of its own. `more`: memory is off
    for another reason as well.
    """
    keys = ("incognito_on_dm", "incognito_off_dm")
    if scope != DIRECT:
        keys = ("incognito_on_thread", "incognito_off_thread")
    lines = [say(language, keys[0] if on else keys[1])]
    if elsewhere:
        lines.append(say(language, "incognito_elsewhere"))
    if more:
        lines.append(more)
    text = "\n".join(lines)
    if not on:
        return ephemeral_payload(text)
    return question_payload(text, incognito_button(language, scope))


def not_remembered_notice(language: Language) -> Payload:
    """Return that the text of the person's message is deleted."""
    return ephemeral_payload(say(language, "not_remembered"))


def quiet_notice(language: Language) -> Payload:
    """Return that only mentions are answered in this thread."""
    return ephemeral_payload(say(language, "quiet_done"))


def consent_question(language: Language) -> Payload:
    """Return the question whether the person wants to be remembered, with its two buttons."""
    return question_payload(say(language, "consent_ask"), *consent_buttons(language))


def consent_buttons(language: Language) -> list[Block]:
    """Return the two answers."""
    agree = button(AGREE_ACTION, say(language, "consent_agree"), "agree", style="primary")
    refuse = button(REFUSE_ACTION, say(language, "consent_refuse"), "refuse")
    return [agree, refuse]
