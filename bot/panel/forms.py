"""The forms: a memory, settings, *Delete all my data*."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast, get_args

from bot.acts.blocks import (
    INPUT_LIMIT,
    Block,
    SlackView,
    actions,
    bulleted,
    button,
    entered,
    input_block,
    modal,
    note,
    option,
    plain_text,
    section,
    select,
    text_input,
    truncate,
)
from bot.acts.kinds import (
    AddLines,
    DeleteData,
    Export,
    Forget,
    FormAct,
    Open,
    Place,
    SaveMemory,
    SaveSettings,
)
from bot.acts.lines import audience_name, describe, retention_text
from bot.locale import LANGUAGE_NAMES, LANGUAGES, Localizer, known_language
from bot.people import Choices, Eagerness, PersonSettings
from bot.promises.forms import due_errors, due_inputs, entered_due
from bot.types import PersonErased
from memory import DM, PUBLIC, Memory
from memory.credentials import redact
from memory.model import MAX_TEXT, PROMISE_KIND, Json

LINES_LIMIT = 20  # of one formation run, which may propose a line twice
_SENTENCE = "sentence"
_AUDIENCE = "audience"
_LINES = "lines"
_WORD = "word"
# List markers at the start of pasted lines.
_BULLETS = "-–*•·▪◦・●■◆ \t"
_RETENTION = (30, 90, 180, 365)


def _form(
    localizer: Localizer, act: FormAct, title: str, submit: str, blocks: Sequence[Block]
) -> SlackView:
    """Return a modal with something to submit; `act` comes back with the submission."""
    view = modal(localizer, title, blocks, act)
    view["submit"] = plain_text(localizer.say(submit))
    view["close"] = plain_text(localizer.say("modal_cancel"))
    return view


def final_view(localizer: Localizer, title: str, text: str) -> SlackView:
    """Return a modal that only says something, such as how a submission ended."""
    return modal(localizer, title, [section(text)])


# --- a memory ----------------------------------------------------------------------------------


def edit_form(localizer: Localizer, memory: Memory, place: Place) -> SlackView:
    """Return the form of a memory: its sentence to be written anew, and where it is used.

    A promise has pickers for its day and time.
    """
    where = localizer.say("used_in", where=audience_name(localizer, memory.audience))
    typed = text_input(MAX_TEXT, editable_sentence(localizer, memory))
    blocks = [
        input_block(_SENTENCE, localizer.say("field_fact"), typed),
        note(where),
    ]
    if memory.kind == PROMISE_KIND:
        blocks += due_inputs(localizer, memory)
    act = SaveMemory(place=place, key=memory.key, seen=memory.updated_at)
    return _form(localizer, act, "menu_edit", "form_save", blocks)


def editable_sentence(localizer: Localizer, memory: Memory) -> str:
    """Return the sentence that is written anew: the person's own, else what the memory says."""
    said = memory.sentence or describe(localizer, memory.kind, memory.content)
    return truncate(said, MAX_TEXT)


def add_form(localizer: Localizer, place: Place) -> SlackView:
    """Return the form that adds memories: one field, whose lines are each formed like a message."""
    label = localizer.say("field_fact")
    hint = localizer.say("add_lines_hint", limit=LINES_LIMIT)
    field = input_block(_LINES, label, text_input(INPUT_LIMIT), hint=hint)
    blocks = [field, _audience_input(localizer)]
    return _form(
        localizer, AddLines(place=place), "add_button", "remember_button", blocks
    )


def _audience_input(localizer: Localizer) -> Block:
    """Return the input for where what is added may be used."""
    options = []
    for one in (DM, PUBLIC):
        name = audience_name(localizer, one)
        options.append(option(_capitalized(name), one))
    label = localizer.say("audience_label")
    return input_block(_AUDIENCE, label, select(options, DM))


def chosen_audience(view: Json) -> str:
    """Return where the memory of a submitted form may be used."""
    return entered(view, _AUDIENCE) or DM


def entered_sentence(view: Json) -> str:
    """Return the sentence of a submitted edit form."""
    return entered(view, _SENTENCE)


def edit_errors(localizer: Localizer, view: Json) -> dict[str, str]:
    """Return the errors of a submitted edit form, by block, without looking anything up."""
    sentence = entered_sentence(view)
    if not sentence:
        return {_SENTENCE: localizer.say("form_missing")}
    if why := _unstorable(localizer, sentence):
        return {_SENTENCE: why}
    return due_errors(localizer, view, entered_due(view))


def _unstorable(localizer: Localizer, text: str) -> str:
    """Return why what was typed cannot be stored; "" if it can."""
    if len(text) > MAX_TEXT:
        return localizer.say("form_long", count=MAX_TEXT)
    if redact(text).removed:
        return localizer.say("refused_secret")
    return ""


def lines_of(text: str) -> list[str]:
    """Return the non-empty lines of a text, without bullets and duplicates."""
    lines: list[str] = []
    for line in text.splitlines():
        words = line.strip().lstrip(_BULLETS).strip()
        if words:
            lines.append(words)
    return list(dict.fromkeys(lines))


def added_lines(view: Json) -> list[str]:
    """Return the lines of a submitted form that adds memories."""
    return lines_of(entered(view, _LINES))


def add_errors(localizer: Localizer, view: Json) -> dict[str, str]:
    """Return why the lines of a submitted form cannot be added, by block."""
    lines = added_lines(view)
    if not lines:
        return {_LINES: localizer.say("form_missing")}
    if len(lines) > LINES_LIMIT:
        return {_LINES: localizer.say("add_lines_hint", limit=LINES_LIMIT)}
    for number, line in enumerate(lines, 1):
        why = _unstorable(localizer, line)
        if not why:
            continue
        if len(lines) > 1:
            why = localizer.say("refused_line", number=number, why=why)
        return {_LINES: why}
    return {}


# --- settings ----------------------------------------------------------------------------------


def settings_form(
    localizer: Localizer, settings: PersonSettings, most_days: int | None, place: Place
) -> SlackView:
    """Return the form with a person's settings as they are, and what they can do with their data.

    Memories are kept for `most_days` (None: without limit) unless the person chooses fewer.
    """
    eagerness = [
        option(localizer.say(f"eagerness_{one}"), one) for one in get_args(Eagerness)
    ]
    notices = [
        option(localizer.say("switch_on"), "on"),
        option(localizer.say("switch_off"), "off"),
    ]
    languages = [option(localizer.say("settings_as_slack"), "slack")]
    languages += [option(LANGUAGE_NAMES[one], one) for one in LANGUAGES]
    selects = {
        "eagerness": select(eagerness, settings.eagerness),
        "notices": select(notices, "on" if settings.notices else "off"),
        "language": select(languages, settings.language or "slack"),
        "retention": _retention_menu(localizer, settings.retention_days, most_days),
    }
    blocks: list[Block] = []
    for name, menu in selects.items():
        blocks.append(input_block(name, localizer.say(f"settings_{name}"), menu))
    blocks.append({"type": "divider"})
    blocks.append(_data_buttons(localizer))
    return _form(
        localizer, SaveSettings(place=place), "settings_title", "form_save", blocks
    )


def _retention_menu(
    localizer: Localizer, days: int | None, most_days: int | None
) -> Block:
    """Return the menu of how long memories are kept; `days` is what the person has chosen."""
    options = [option(_period(localizer, most_days), "0")]
    chosen = "0"
    for choice in _RETENTION:
        if most_days is None or choice < most_days:
            options.append(option(_period(localizer, choice), str(choice)))
            if choice == days:
                chosen = str(choice)
    return select(options, chosen)


def _data_buttons(localizer: Localizer) -> Block:
    """Return the buttons that export, forget and delete what is stored about a person."""
    text = localizer.say("forget_everything_button")
    confirm = {
        "title": plain_text(text),
        "text": plain_text(localizer.say("forget_everything_ask")),
        "confirm": plain_text(localizer.say("menu_forget")),
        "deny": plain_text(localizer.say("modal_cancel")),
        "style": "danger",
    }
    forget = button(text, Forget(everything=True), confirm=confirm)
    delete = button(localizer.say("delete_title"), Open(form="delete"), style="danger")
    return actions(export_button(localizer), forget, delete, block_id="data")


def export_button(localizer: Localizer) -> Block:
    """Return the button that sends the person all data about them."""
    return button(localizer.say("export_title"), Export())


def _period(localizer: Localizer, days: int | None) -> str:
    return _capitalized(retention_text(localizer, days))


def _capitalized(words: str) -> str:
    """Return words that end a sentence elsewhere as the text of an option."""
    return words[:1].upper() + words[1:]


def read_settings_form(view: Json) -> Choices:
    """Return the choices; Slack accepts only the options of the form."""
    return {
        "eagerness": cast(Eagerness, entered(view, "eagerness")),
        "notices": entered(view, "notices") == "on",
        "language": known_language(entered(view, "language")),
        "retention_days": int(entered(view, "retention")) or None,
    }


# --- Delete all my data ------------------------------------------------------------------------


def delete_form(localizer: Localizer, place: Place) -> SlackView:
    """Return the form that says what goes and what stays, and asks for a word."""
    word = text_input(20, multiline=False)
    blocks = [
        section(localizer.say("delete_ask")),
        section(localizer.say("delete_export"), export_button(localizer), "export"),
        note(localizer.say("delete_stays")),
        input_block(_WORD, _delete_label(localizer), word),
    ]
    return _form(
        localizer, DeleteData(place=place), "delete_title", "delete_submit", blocks
    )


def delete_errors(localizer: Localizer, view: Json) -> dict[str, str]:
    """Return the error if the wrong word was typed, by block."""
    if entered(view, _WORD) == localizer.say("delete_word"):
        return {}
    return {_WORD: _delete_label(localizer)}


def _delete_label(localizer: Localizer) -> str:
    """Return the label that says which word to type; it is the error for any other word, too."""
    return localizer.say("delete_type", word=localizer.say("delete_word"))


def receipt_text(localizer: Localizer, receipt: PersonErased) -> str:
    """Return the receipt of an erasure: what is deleted, what stays, and why."""
    messages = receipt.counts.get("messages", 0)
    rest = receipt.total - receipt.memories - messages
    deleted = [
        localizer.say("counted_memories", count=receipt.memories),
        localizer.say("deleted_messages", count=messages),
        localizer.say("deleted_rest", count=rest),
    ]
    left = sum(receipt.left.values())
    in_slack = localizer.say("deleted_none_left")
    if left:
        in_slack = localizer.say("deleted_left", count=left)
    stays = [
        localizer.say("stays_messages"),
        localizer.say("stays_answers"),
        localizer.say("stays_ids"),
    ]
    if receipt.never_formed_messages:
        stays.append(
            localizer.say("stays_sources", count=receipt.never_formed_messages)
        )
    if receipt.switches:
        stays.append(localizer.say("stays_off"))
    stays.append(localizer.say("stays_backups"))
    deleted_text = f"{localizer.say('deleted')}\n{bulleted(deleted)}"
    stays_text = f"{localizer.say('stays')}\n{bulleted(stays)}"
    return f"{deleted_text}\n\n{in_slack}\n\n{stays_text}"
