"""The forms: a memory, settings, *Delete all my data*."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, time
from typing import cast, get_args

from pydantic import BaseModel

from bot.locale import LANGUAGE_NAMES, LANGUAGES, Localizer, known_language
from bot.people import Choices, Eagerness, PersonSettings
from bot.types import PersonErased
from bot.ui.acts import (
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
from bot.ui.blocks import (
    INPUT_LIMIT,
    OPTIONS_LIMIT,
    Block,
    SlackView,
    actions,
    bulleted,
    button,
    input_block,
    modal,
    note,
    option,
    plain_text,
    section,
    select,
    text_input,
)
from bot.ui.lines import LEVELS, audience_name, kept_for, level_of
from bot.ui.promises import is_past
from memory import DM, PUBLIC, SCHEMAS, InvalidContent, Memory, subject
from memory.credentials import redact
from memory.model import (
    DUE_FIELDS,
    LEVEL_FIELDS,
    MAX_TEXT,
    PROMISE_KIND,
    Content,
    FieldRules,
    Json,
    field_rules,
)
from memory.store import validated

LINES_LIMIT = 20  # of one formation run, which may propose a line twice
# A form has at most six inputs, and one says where the memory may be used.
_MAX_FIELDS = 5
_MULTILINE_LENGTH = 60
# More would not fit into the metadata of a view; others are shown by their ids.
_MOST_NAMES = 15
# Fields of the built-in kinds that no form shows.
_HIDDEN = frozenset({("UserFact", "topic"), (PROMISE_KIND, "state")})
_AUDIENCE = "audience"
_LINES = "lines"
_WORD = "word"
# List markers at the start of pasted lines.
_BULLETS = "-–*•·▪◦・●■◆ \t"
_ERRORS = {
    "missing": "form_missing",
    "number": "form_number",
    "secret": "refused_secret",
}
_RETENTION = (30, 90, 180, 365)
# The JSON types that have an input.
_TYPES = ("string", "integer", "number")


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


def _entered(view: Json, block_id: str) -> str:
    """Return what was entered or chosen; also empty if the form has no such input."""
    elements = view["state"]["values"].get(block_id) or {}
    for state in elements.values():
        if chosen := state.get("selected_option"):
            return str(chosen["value"])
        picked = state.get("selected_date") or state.get("selected_time")
        entered = picked or state.get("value") or ""
        return str(entered).strip()
    return ""


# --- a memory ----------------------------------------------------------------------------------


def fields_of(schema: type[BaseModel], content: Content) -> dict[str, FieldRules]:
    """Return the rules of each field that a form asks for, required ones first.

    An optional text field is included only if it has a value. What no input can hold, such as a
    list, a long text or one of too many choices, is left out and keeps its value.
    """
    asked: dict[str, FieldRules] = {}
    for name, rules in _fields(schema).items():
        value = text_of(content, name)
        is_asked = rules["required"] or value or not _is_text(rules)
        if is_asked and len(value) <= _length(rules):
            asked[name] = rules
    required_first = sorted(asked, key=lambda name: not asked[name]["required"])
    return {name: asked[name] for name in required_first[:_MAX_FIELDS]}


def _fields(schema: type[BaseModel]) -> dict[str, FieldRules]:
    """Return the rules of each field that has an input."""
    fields: dict[str, FieldRules] = {}
    for name, rules in field_rules(schema).items():
        is_hidden = (schema.__name__, name) in _HIDDEN
        # The values of a menu's options are texts.
        types = ("string",) if "enum" in rules else _TYPES
        fits = len(rules.get("enum", ())) <= OPTIONS_LIMIT
        if rules.get("type") in types and fits and not is_hidden:
            fields[name] = rules
    return fields


def _is_text(rules: FieldRules) -> bool:
    return rules["type"] == "string" and not {"enum", "format"} & rules.keys()


def text_of(content: Content, name: str) -> str:
    """Return a field's value as an input shows it."""
    value = content.get(name)
    return "" if value is None else str(value)


def edit_form(
    localizer: Localizer,
    schema: type[BaseModel],
    memory: Memory,
    place: Place,
) -> SlackView:
    """Return the form of a memory with what it says now; `schema` is that of its kind."""
    blocks: list[Block] = []
    for name, rules in fields_of(schema, memory.content).items():
        blocks.append(_field_input(localizer, schema, memory, name, rules))
    blocks.append(_audience_input(localizer, memory.audience))
    act = SaveMemory(
        place=place,
        key=memory.key,
        kind=memory.kind,
        seen=memory.updated_at,
    )
    return _form(localizer, act, "menu_edit", "form_save", blocks)


def _field_input(
    localizer: Localizer,
    schema: type[BaseModel],
    memory: Memory,
    name: str,
    rules: FieldRules,
) -> Block:
    """Return the input of a field with its value in `memory`."""
    if schema in SCHEMAS:
        label = localizer.say(f"field_{name}")
    else:
        # An operator's kind has titles instead of labels in each language.
        label = str(rules.get("title", name))[:100]
    if schema in SCHEMAS and LEVEL_FIELDS.get(memory.kind) == name:
        element = _level_input(localizer, memory.kind, memory.content)
        hint = ""
    else:
        element = _element(rules, text_of(memory.content, name))
        hint = _range(localizer, rules)
    optional = not rules["required"]
    return input_block(_block_id(name), label, element, optional=optional, hint=hint)


def add_form(localizer: Localizer, place: Place) -> SlackView:
    """Return the form that adds memories: one field, whose lines are each formed like a message."""
    label = localizer.say("field_fact")
    hint = localizer.say("add_lines_hint", limit=LINES_LIMIT)
    field = input_block(_LINES, label, text_input(INPUT_LIMIT), hint=hint)
    blocks = [field, _audience_input(localizer, DM)]
    return _form(
        localizer, AddLines(place=place), "add_button", "remember_button", blocks
    )


def _block_id(field: str) -> str:
    """Return the id of a field's block, under which an error is shown."""
    return f"field.{field}"


def _range(localizer: Localizer, rules: FieldRules) -> str:
    if "minimum" not in rules or "maximum" not in rules:
        return ""
    low = f"{rules['minimum']:g}"
    high = f"{rules['maximum']:g}"
    return localizer.say("form_range", low=low, high=high)


def _element(rules: FieldRules, value: str) -> Block:
    """Return the input of a field with `value` in it."""
    if "enum" in rules:
        options = [option(one, one) for one in rules["enum"]]
        return select(options, value)
    if rules.get("format") in ("date", "time"):
        return _picker(rules["format"], value)
    is_long = len(value) > _MULTILINE_LENGTH or "\n" in value
    return text_input(_length(rules), value, multiline=is_long)


def _picker(kind: str, value: str) -> Block:
    """Return the input of a date or time; it begins empty if `value` is neither."""
    picker: Block = {"type": f"{kind}picker"}
    with suppress(ValueError):
        if kind == "date":
            picker["initial_date"] = date.fromisoformat(value).isoformat()
        else:
            picker["initial_time"] = time.fromisoformat(value).strftime("%H:%M")
    return picker


def _level_input(localizer: Localizer, kind: str, content: Content) -> Block:
    """Return the menu of a level, whose options read like the lines in the list of memories.

    The option of the current level has the stored score, so that saving it changes nothing.
    """
    score = content.get(LEVEL_FIELDS[kind])
    stored = level_of(kind, score)
    what = subject(kind, content)
    options: list[Block] = []
    chosen = ""
    for level in LEVELS[kind]:
        value = str(level.typical)
        if level is stored:
            value = chosen = str(score)
        options.append(option(localizer.say(level.key, what=what), value))
    return select(options, chosen)


def _length(rules: FieldRules) -> int:
    return min(int(rules.get("maxLength") or MAX_TEXT), MAX_TEXT)


def _audience_input(localizer: Localizer, audience: str) -> Block:
    """Return the input for where a memory may be used, which `audience` knows now."""
    options = []
    for one in (DM, PUBLIC):
        name = audience_name(localizer, one)
        options.append(option(_capitalized(name), one))
    if audience not in (DM, PUBLIC):
        options.append(option(localizer.say("audience_as_now"), audience))
    return input_block(
        _AUDIENCE, localizer.say("audience_label"), select(options, audience)
    )


def chosen_audience(view: Json) -> str:
    """Return where the memory of a submitted form may be used."""
    return _entered(view, _AUDIENCE) or DM


def entered_content(view: Json, schema: type[BaseModel]) -> dict[str, str | None]:
    """Return the fields of a submitted edit form; None where one was left empty."""
    content: dict[str, str | None] = {}
    for name in _fields(schema):
        if _block_id(name) in view["state"]["values"]:
            content[name] = _entered(view, _block_id(name)) or None
    return content


def changed_fields(
    view: Json, schema: type[BaseModel], stored: Content
) -> dict[str, str | None]:
    """Return the fields of a submitted edit form that differ from those of the memory."""
    entered = entered_content(view, schema).items()
    return {
        name: text for name, text in entered if (text or "") != text_of(stored, name)
    }


def typed_text(changed: Mapping[str, str | None], schema: type[BaseModel]) -> str:
    """Return the texts that the person typed in changed fields; choices and dates are left out."""
    fields = _fields(schema)
    texts: list[str] = []
    for name, text in changed.items():
        if text and _is_text(fields[name]):
            texts.append(text)
    return " ".join(texts)


def edit_errors(
    localizer: Localizer, view: Json, schema: type[BaseModel]
) -> dict[str, str]:
    """Return the errors of a submitted edit form, by block, judged by the schema alone."""
    content = entered_content(view, schema)
    errors: dict[str, str] = {}
    try:
        validated(schema.__name__, content)
    except InvalidContent as problem:
        rules = _fields(schema)
        for name, code in problem.codes.items():
            # A field that no input can hold keeps its value, which the form does not have.
            if name in content:
                errors[_block_id(name)] = field_error(localizer, code, rules[name])
        return errors
    if schema.__name__ == PROMISE_KIND:
        return _due_errors(localizer, view, content)
    return errors


def _due_errors(
    localizer: Localizer, view: Json, content: Mapping[str, str | None]
) -> dict[str, str]:
    """Return an error if a promise was given a time without a day, or a past day or time.

    Its earlier ones may stay.
    """
    entered = [content.get(name) or "" for name in DUE_FIELDS]
    begun = [_begun_with(view, name) for name in DUE_FIELDS]
    if entered == begun:
        return {}
    if content.get("due_time") and not content.get("due"):
        return {_block_id("due"): localizer.say("form_missing")}
    if not is_past(localizer, content):
        return {}
    is_day_past = is_past(localizer, {"due": content["due"]})
    field = "due" if is_day_past else "due_time"
    return {_block_id(field): localizer.say("form_past")}


def _begun_with(view: Json, field: str) -> str:
    """Return the initial day or time in the input of a field; empty if there is none."""
    for block in view.get("blocks") or []:
        if block.get("block_id") == _block_id(field):
            element = block["element"]
            return str(element.get("initial_date") or element.get("initial_time") or "")
    return ""


def field_error(localizer: Localizer, code: str, rules: FieldRules) -> str:
    """Return why a field cannot be stored; `code` is of `memory.InvalidContent`."""
    if code in ("number", "range"):
        sentence = _range(localizer, rules)
        if sentence:
            return sentence
    if code == "long":
        return localizer.say("form_long", count=_length(rules))
    return localizer.say(_ERRORS.get(code, "form_invalid"))


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
    return lines_of(_entered(view, _LINES))


def add_errors(localizer: Localizer, view: Json) -> dict[str, str]:
    """Return why the lines of a submitted form cannot be added, by block."""
    lines = added_lines(view)
    if not lines:
        return {_LINES: localizer.say("form_missing")}
    if len(lines) > LINES_LIMIT:
        return {_LINES: localizer.say("add_lines_hint", limit=LINES_LIMIT)}
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_TEXT:
            why = localizer.say("form_long", count=MAX_TEXT)
        elif redact(line).removed:
            why = localizer.say("refused_secret")
        else:
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
    return _capitalized(kept_for(localizer, days))


def _capitalized(words: str) -> str:
    """Return words that end a sentence elsewhere as the text of an option."""
    return words[:1].upper() + words[1:]


def read_settings_form(view: Json) -> Choices:
    """Return the choices; Slack accepts only the options of the form."""
    return {
        "eagerness": cast(Eagerness, _entered(view, "eagerness")),
        "notices": _entered(view, "notices") == "on",
        "language": known_language(_entered(view, "language")),
        "retention_days": int(_entered(view, "retention")) or None,
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
    if _entered(view, _WORD) == localizer.say("delete_word"):
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
