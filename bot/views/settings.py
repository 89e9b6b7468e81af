"""A person's settings: as they are, and the form in which they are changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.locale import LANGUAGE_NAMES, Language, known_language, say
from bot.types import ConsentMode, PersonSettings
from bot.views.blocks import Block, Payload, button, ephemeral_payload, note, plain_text, section
from bot.views.memory_state import AGREE_ACTION, REFUSE_ACTION, RESUME_ACTION, memory_off_text
from bot.views.modal_triggers import SETTINGS_ACTION
from bot.views.views import View, form_view

_RETENTION = (30, 90, 180, 365, 730)

SETTINGS_FORM = "settings_form"
RETENTION_ACTION = "keep_memories_for"


def settings_payload(
    language: Language,
    settings: PersonSettings,
    *,
    consent: ConsentMode,
    retention_days: int | None,
) -> Payload:
    """Return the settings as they are, with what switches memory on and off.

    `retention_days` is how long memories are kept in fact: the operator may keep them for less.
    """
    off = settings.off_reason(consent)
    title = say(language, "settings_title")
    lines = [
        memory_off_text(language, off, settings) if off else say(language, "settings_on"),
        say(language, "settings_notices_on" if settings.notices else "settings_notices_off"),
        say(language, "settings_language", name=language_name(language, settings.language)),
        say(language, "settings_kept", period=retention_text(language, retention_days)),
    ]
    text = "\n".join([f"*{title}*", *(f"• {line}" for line in lines)])
    blocks: list[Block] = [
        section(text),
        {"type": "actions", "elements": _memory_buttons(language, off)},
        note(say(language, "only_you")),
    ]
    return ephemeral_payload(text, blocks)


def settings_form(language: Language, settings: PersonSettings, *, consent: ConsentMode) -> View:
    """Return the form: memory, notices, language, how long to keep."""
    off = settings.off_reason(consent)
    memory = [_option("on", say(language, "settings_memory_on"))]
    if off == "paused":
        # A line of a form is plain text: the moment is shown where the settings are listed.
        memory.append(_option("stay", say(language, "settings_memory_stay")))
    memory += [
        _option("hour", say(language, "settings_memory_hour")),
        _option("tomorrow", say(language, "settings_memory_tomorrow")),
        _option("open", say(language, "settings_memory_open")),
        _option("off", say(language, "settings_memory_off")),
    ]
    is_now = {None: "on", "paused": "stay"}.get(off, "off")
    notices = [_option("on", say(language, "settings_notices_yes"))]
    languages = [
        _option("slack", _capitalized(say(language, "settings_as_slack"))),
        *(_option(code, name) for code, name in LANGUAGE_NAMES.items()),
    ]
    days = sorted({*_RETENTION, settings.retention_days or _RETENTION[0]})
    periods = [
        _option("0", _capitalized(retention_text(language, None))),
        *(_option(str(one), _capitalized(retention_text(language, one))) for one in days),
    ]
    blocks = [
        _input(
            "memory",
            say(language, "settings_memory"),
            {"type": "radio_buttons", **_choice(memory, is_now)},
        ),
        {
            **_input(
                "notices",
                say(language, "settings_notices"),
                {
                    "type": "checkboxes",
                    "options": notices,
                    **({"initial_options": notices} if settings.notices else {}),
                },
            ),
            "optional": True,
        },
        _input(
            "language",
            say(language, "settings_language_label"),
            {"type": "static_select", **_choice(languages, settings.language or "slack")},
        ),
        _input(
            "retention",
            say(language, "settings_retention"),
            {"type": "static_select", **_choice(periods, str(settings.retention_days or 0))},
            hint=say(language, "settings_retention_hint"),
        ),
    ]
    return form_view(
        language,
        "settings_title",
        blocks,
        callback=SETTINGS_FORM,
        submit="form_save",
        metadata={},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedSettings:
    """The submitted settings; `memory` is ``on``, ``off``, ``stay`` or the length of a pause."""

    memory: str
    notices: bool
    language: Language | None
    retention_days: int | None


def read_settings_form(view: Mapping[str, Any]) -> SubmittedSettings:
    """Return what a submitted form says; Slack lets nothing but its options through."""
    values = view["state"]["values"]

    def one(block: str) -> str:
        return str(values[block]["chosen"]["selected_option"]["value"])

    language, days = one("language"), int(one("retention"))
    return SubmittedSettings(
        memory=one("memory"),
        notices=bool(values["notices"]["chosen"].get("selected_options")),
        language=known_language(language),
        retention_days=days or None,
    )


def _capitalized(words: str) -> str:
    """Return words that end a sentence elsewhere as a line of their own."""
    return words[:1].upper() + words[1:]


def _option(value: str, text: str) -> Block:
    return {"text": plain_text(text), "value": value}


def _choice(options: Sequence[Block], value: str) -> Block:
    initial = next(option for option in options if option["value"] == value)
    return {"options": list(options), "initial_option": initial}


def _input(block: str, label: str, element: Block, *, hint: str = "") -> Block:
    return {
        "type": "input",
        "block_id": block,
        "label": plain_text(label),
        "element": {**element, "action_id": "chosen"},
        **({"hint": plain_text(hint)} if hint else {}),
    }


def _memory_buttons(language: Language, off: str | None) -> list[Block]:
    change = button(SETTINGS_ACTION, say(language, "settings_change"), "settings")
    turn_off = button(REFUSE_ACTION, say(language, "settings_turn_off"), "refuse")
    if off == "paused":
        return [button(RESUME_ACTION, say(language, "resume_button"), "resume"), change, turn_off]
    if off is None:
        return [change, turn_off]
    turn_on = button(AGREE_ACTION, say(language, "settings_turn_on"), "agree", style="primary")
    return [turn_on, change]


def retention_question(language: Language, days: int | None) -> Payload:
    """Return the question before memories are kept for so long only; None: until deleted."""
    text = say(language, "retention_ask", period=retention_text(language, days))
    agree = button(RETENTION_ACTION, say(language, "retention_button"), str(days or 0))
    return ephemeral_payload(text, [section(text), {"type": "actions", "elements": [agree]}])


def language_name(language: Language, chosen: Language | None) -> str:
    """Return what a language is called in itself, or that Slack's is used."""
    return LANGUAGE_NAMES[chosen] if chosen else say(language, "settings_as_slack")


def retention_text(language: Language, days: int | None) -> str:
    """Return how long memories are kept, in words."""
    if days is None:
        return say(language, "settings_kept_always")
    return say(language, "settings_kept_days", count=days)
