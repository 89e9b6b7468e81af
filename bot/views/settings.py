"""A person's settings: as they are, and the forms and questions that change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from bot.locale import LANGUAGE_NAMES, Language, known_language, say
from bot.types import DIRECT, ConsentMode, PersonSettings
from bot.views.blocks import (
    Block,
    Payload,
    actions,
    bulleted,
    button,
    checkboxes,
    ephemeral_payload,
    escaped,
    input_block,
    note,
    option,
    question_payload,
    section,
)
from bot.views.memory_state import (
    AGREE_ACTION,
    REFUSE_ACTION,
    incognito_button,
    memory_off_text,
    resume_button,
)
from bot.views.modal_triggers import SETTINGS_ACTION
from bot.views.time_forms import may_end_pause, tomorrow_morning
from bot.views.views import SlackView, entered, form_view, language_of_view

_RETENTION = (30, 90, 180, 365, 730)

SETTINGS_FORM = "settings_form"
PAUSE_FORM = "pause_memory"
RETENTION_ACTION = "keep_memories_for"
_UNTIL = "pause.until"
# Menus with lengths of a pause: the value of each, and its label.
PAUSES = {
    "hour": "settings_memory_hour",
    "tomorrow": "settings_memory_tomorrow",
    "open": "settings_memory_open",
}


def settings_payload(
    language: Language,
    settings: PersonSettings,
    *,
    consent: ConsentMode,
    retention_days: int | None,
    incognito: bool,
) -> Payload:
    """Return the settings as they are, with what switches memory on and off.

    `retention_days` is how long memories are kept in fact: the operator may keep them for less.
    `incognito`: it is on in direct messages.
    """
    off = settings.off_reason(consent)
    title = say(language, "settings_title")
    lines = [
        memory_off_text(language, off, settings) if off else say(language, "settings_on"),
        say(language, "settings_notices_on" if settings.notices else "settings_notices_off"),
        say(language, "settings_language", name=language_name(language, settings.language)),
        say(language, "settings_kept", period=retention_text(language, retention_days)),
    ]
    buttons = _memory_buttons(language, off)
    if incognito and off in (None, "paused"):
        lines.insert(1, say(language, "incognito_still"))
        buttons.append(incognito_button(language, DIRECT))
    text = f"*{title}*\n{bulleted(lines)}"
    blocks: list[Block] = [
        section(text),
        actions(*buttons),
        note(say(language, "only_you")),
    ]
    return ephemeral_payload(text, blocks)


def settings_form(
    language: Language, settings: PersonSettings, *, consent: ConsentMode
) -> SlackView:
    """Return the form: memory, notices, language, how long to keep."""
    off = settings.off_reason(consent)
    memory = [option(say(language, "settings_memory_on"), "on")]
    if off == "paused":
        # A line of a form is plain text: the moment is shown where the settings are listed.
        memory.append(option(say(language, "settings_memory_stay"), "stay"))
    memory += pause_options(language)
    memory.append(option(say(language, "settings_memory_off"), "off"))
    current = {None: "on", "paused": "stay"}.get(off, "off")
    notices = [option(say(language, "settings_notices_yes"), "on")]
    languages = [
        option(_capitalized(say(language, "settings_as_slack")), "slack"),
        *(option(name, code) for code, name in LANGUAGE_NAMES.items()),
    ]
    days = sorted({*_RETENTION, settings.retention_days or _RETENTION[0]})
    periods = [
        option(_capitalized(retention_text(language, None)), "0"),
        *(option(_capitalized(retention_text(language, one)), str(one)) for one in days),
    ]
    blocks = [
        input_block(
            "memory",
            say(language, "memory_title"),
            _choice("radio_buttons", memory, current),
        ),
        input_block(
            "notices",
            say(language, "settings_notices"),
            checkboxes(notices, notices if settings.notices else [], action_id="chosen"),
            optional=True,
        ),
        input_block(
            "language",
            say(language, "settings_language_label"),
            _choice("static_select", languages, settings.language or "slack"),
        ),
        input_block(
            "retention",
            say(language, "settings_retention"),
            _choice("static_select", periods, str(settings.retention_days or 0)),
            hint=say(language, "settings_retention_hint"),
        ),
    ]
    return form_view(language, "settings_title", blocks, callback=SETTINGS_FORM, submit="form_save")


def pause_options(language: Language) -> list[Block]:
    """Return the options of a menu of pauses; their values are those of `PAUSES`."""
    return [option(say(language, key), value) for value, key in PAUSES.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedSettings:
    """The submitted settings; `memory` is ``on``, ``off``, ``stay`` or the length of a pause."""

    memory: str
    notices: bool
    language: Language | None
    retention_days: int | None


def read_settings_form(view: Mapping[str, Any]) -> SubmittedSettings:
    """Return what a submitted form says; Slack lets nothing but its options through."""

    def chosen(block: str) -> str:
        return str(entered(view, block)["selected_option"]["value"])

    return SubmittedSettings(
        memory=chosen("memory"),
        notices=bool(entered(view, "notices").get("selected_options")),
        language=known_language(chosen("language")),
        retention_days=int(chosen("retention")) or None,
    )


def _capitalized(words: str) -> str:
    """Return words that end a sentence elsewhere as a line of their own."""
    return words[:1].upper() + words[1:]


def _choice(kind: str, options: Sequence[Block], value: str) -> Block:
    initial = next(one for one in options if one["value"] == value)
    return {
        "type": kind,
        "action_id": "chosen",
        "options": list(options),
        "initial_option": initial,
    }


def _memory_buttons(language: Language, off: str | None) -> list[Block]:
    change = _change_button(language)
    turn_off = _refuse_button(language)
    if off == "paused":
        return [resume_button(language), change, turn_off]
    if off is None:
        return [change, turn_off]
    turn_on = button(AGREE_ACTION, say(language, "settings_turn_on"), "agree", style="primary")
    return [turn_on, change]


def _change_button(language: Language) -> Block:
    return button(SETTINGS_ACTION, say(language, "settings_change"), "settings")


def retention_question(language: Language, days: int | None) -> Payload:
    """Return the question before memories are kept for so long only; None: until deleted."""
    key = "retention_ask" if days else "retention_ask_always"
    text = say(language, key, period=retention_text(language, days))
    agree = button(RETENTION_ACTION, say(language, "retention_button"), str(days or 0))
    return question_payload(text, agree)


def language_name(language: Language, chosen: Language | None) -> str:
    """Return what a language is called in itself, or that Slack's is used."""
    return LANGUAGE_NAMES[chosen] if chosen else say(language, "settings_as_slack")


def retention_text(language: Language, days: int | None) -> str:
    """Return how long memories are kept, in words."""
    if days is None:
        return say(language, "settings_kept_always")
    return say(language, "settings_kept_days", count=days)


def pause_form(language: Language, zone: tzinfo, words: str) -> SlackView:
    """Return the form; the initial value is tomorrow morning in `zone`.

    It begins with the `words` that were typed as a time and are none.

    Source: https://docs.slack.dev/reference/block-kit/block-elements/datetime-picker-element
    """
    until = tomorrow_morning(datetime.now(UTC), zone)
    picker = {"type": "datetimepicker", "initial_date_time": int(until.timestamp())}
    blocks = [
        section(say(language, "pause_unread", words=escaped(words[:80]))),
        input_block(_UNTIL, say(language, "pause_until"), picker),
        note(say(language, "pause_shorter")),
    ]
    return form_view(language, "pause_title", blocks, callback=PAUSE_FORM, submit="pause_submit")


def read_pause_form(view: Mapping[str, Any]) -> datetime:
    """Return the chosen time."""
    return datetime.fromtimestamp(int(entered(view, _UNTIL)["selected_date_time"]), UTC)


def pause_form_errors(view: Mapping[str, Any]) -> dict[str, str]:
    """Return errors for the chosen time, by block; empty if it is valid."""
    if may_end_pause(read_pause_form(view), datetime.now(UTC)):
        return {}
    return {_UNTIL: say(language_of_view(view), "pause_past")}


def notices_changed_notice(language: Language, *, on: bool) -> Payload:
    """Return whether the person is told what is remembered, with the button for the settings."""
    text = say(language, "settings_notices_on" if on else "settings_notices_off")
    return question_payload(text, _change_button(language))


def refusal_question(language: Language) -> Payload:
    """Return the question before memory is switched off, with what would be lost."""
    return question_payload(say(language, "refuse_ask"), _refuse_button(language))


def _refuse_button(language: Language) -> Block:
    return button(REFUSE_ACTION, say(language, "settings_turn_off"), "refuse")


def resume_question(language: Language, settings: PersonSettings) -> Payload:
    """Return that memory is paused, with the button that ends it."""
    text = f"{memory_off_text(language, 'paused', settings)}\n{say(language, 'resume_ask')}"
    return question_payload(text, resume_button(language))
