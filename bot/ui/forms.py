"""The forms: a memory, settings, *Delete all my data*, and a comment on an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast, get_args
from uuid import UUID

from pydantic import BaseModel

from bot.locale import LANGUAGE_NAMES, LANGUAGES, Localizer, known_language, say
from bot.people import Choices, Eagerness, PersonSettings
from bot.types import PersonErased
from bot.ui.acts import (
    AddLines,
    Comment,
    DeleteData,
    Export,
    Forget,
    FormAct,
    Open,
    Place,
    SaveMemory,
    SaveSettings,
    ShareSentence,
)
from bot.ui.blocks import (
    INPUT_LIMIT,
    OPTIONS_LIMIT,
    Block,
    SlackView,
    actions,
    bulleted,
    button,
    escaped,
    input_block,
    modal,
    note,
    option,
    plain_text,
    section,
    select,
    text_input,
)
from bot.ui.lines import LEVELS, audience_name, audience_of, kept_for, level_of
from bot.ui.promises import is_past
from memory import DM, PUBLIC, SCHEMAS, InvalidContent, Memory, subject
from memory.credentials import redact
from memory.model import LEVEL_FIELDS, PROMISE_KIND
from memory.store import validated

_CALLBACK_ID = "form"
LINES_LIMIT = 20  # of one formation run, which may propose a line twice
COMMENT_LIMIT = 1_000
FIELD_LIMIT = 2_000  # as `MAX_TEXT` of memory.model.text
# A form has at most six inputs, and one says where the memory may be used.
_MAX_FIELDS = 5
_MULTILINE_LENGTH = 60
# Fields of our own kinds that have no label.
_HIDDEN = frozenset({("UserFact", "topic"), (PROMISE_KIND, "state")})
_AUDIENCE = "audience"
_LINES = "lines"
_WORD = "word"
_COMMENT = "comment"
# List markers at the start of pasted lines.
_BULLETS = "-–*•·▪◦ \t"
_ERRORS = {"missing": "form_missing", "secret": "refused_secret"}
_RETENTION = (30, 90, 180, 365)
# The types that have an input; pickers by format, and numbers, with the values they can show.
_TYPES = ("string", "integer", "number")
_PICKERS = {
    "date": re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\Z"),
    "time": re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]\Z"),
}
_NUMBERS = {
    "integer": re.compile(r"-?[0-9]{1,12}\Z"),
    "number": re.compile(r"-?[0-9]{1,12}(\.[0-9]+)?\Z"),
}

Rules: TypeAlias = Mapping[str, Any]
"""The JSON schema of one field of a kind of memory."""


def _form(
    localizer: Localizer, act: FormAct, title: str, submit: str, blocks: Sequence[Block]
) -> SlackView:
    """Return a modal with something to submit; `act` comes back with the submission."""
    return {
        **modal(localizer, title, blocks, act),
        "callback_id": _CALLBACK_ID,
        "submit": plain_text(localizer.say(submit)),
        "close": plain_text(localizer.say("modal_cancel")),
    }


def final_view(localizer: Localizer, title: str, *texts: str) -> SlackView:
    """Return a modal that says how a submission ended."""
    return modal(localizer, title, [section(text) for text in texts])


def _entered(view: Mapping[str, Any], block_id: str) -> str:
    """Return what was entered or chosen; also empty if the form has no such input."""
    elements = view["state"]["values"].get(block_id) or {}
    state = next(iter(elements.values()), None) or {}
    chosen = (state.get("selected_option") or {}).get("value")
    picked = state.get("selected_date") or state.get("selected_time")
    return str(chosen or picked or state.get("value") or "").strip()


# --- a memory ----------------------------------------------------------------------------------


def fields_of(schema: type[BaseModel], content: Mapping[str, Any]) -> dict[str, Rules]:
    """Return the rules of each field that a form asks for, required ones first.

    An optional text field is included only if it has a value. What no input can hold, such as a
    list or a long text, is left out and keeps its value.
    """
    found = {
        name: rules
        for name, rules in _fields(schema).items()
        if (rules["required"] or text_of(content, name) or not _is_text(rules))
        and len(text_of(content, name)) <= _length(rules)
    }
    return dict(sorted(found.items(), key=lambda field: not field[1]["required"])[:_MAX_FIELDS])


def _fields(schema: type[BaseModel]) -> dict[str, Rules]:
    """Return the rules of each field that has an input, and whether it is required."""
    described = schema.model_json_schema()
    required = described.get("required") or ()
    fields = {
        name: {**_resolved(rules, described), "required": name in required}
        for name, rules in (described.get("properties") or {}).items()
        if (schema.__name__, name) not in _HIDDEN
    }
    return {name: rules for name, rules in fields.items() if rules.get("type") in _TYPES}


def _resolved(rules: Rules, described: Rules) -> Rules:
    """Return the rules of a field without ``null``, and with references resolved."""
    outer = {key: rules[key] for key in ("title", "description") if key in rules}
    for one in [*rules.get("anyOf", ()), *rules.get("allOf", ())]:
        if one.get("type") != "null":
            rules = one
            break
    if "$ref" in rules:
        rules = described["$defs"][str(rules["$ref"]).rpartition("/")[2]]
    return {**rules, **outer}


def _is_text(rules: Rules) -> bool:
    return rules["type"] == "string" and not {"enum", "format"} & rules.keys()


def text_of(content: Mapping[str, Any], name: str) -> str:
    """Return a field's value as an input shows it."""
    return "" if content.get(name) is None else str(content[name])


def edit_form(
    localizer: Localizer, schema: type[BaseModel], memory: Memory, place: Place
) -> SlackView:
    """Return the form of a memory with what it says now; `schema` is that of its kind."""
    # Our own kinds have labels in each language; an operator's kinds use their titles.
    own = schema in SCHEMAS
    blocks: list[Block] = []
    for name, rules in fields_of(schema, memory.content).items():
        label = localizer.say(f"field_{name}") if own else str(rules.get("title", name))[:100]
        if own and LEVEL_FIELDS.get(memory.kind) == name:
            element = _level_input(localizer, memory.kind, memory.content)
            hint = ""
        else:
            element = _element(rules, text_of(memory.content, name))
            hint = _range(localizer, rules)
        optional = not rules["required"]
        block = input_block(_block_id(name), label, element, optional=optional, hint=hint)
        blocks.append(block)
    blocks.append(_audience_input(localizer, audience_of(memory)))
    act = SaveMemory(place=place, key=memory.key, kind=memory.kind, seen=memory.updated_at)
    return _form(localizer, act, "menu_edit", "form_save", blocks)


def add_form(localizer: Localizer, place: Place) -> SlackView:
    """Return the form that adds memories: one field, whose lines are each formed like a message."""
    hint = localizer.say("add_lines_hint", limit=LINES_LIMIT)
    field = input_block(_LINES, localizer.say("field_fact"), text_input(INPUT_LIMIT), hint=hint)
    blocks = [field, _audience_input(localizer, DM)]
    return _form(localizer, AddLines(place=place), "add_button", "remember_button", blocks)


def _block_id(field: str) -> str:
    """Return the id of a field's block, under which an error is shown."""
    return f"field.{field}"


def _range(localizer: Localizer, rules: Rules) -> str:
    if "minimum" not in rules or "maximum" not in rules:
        return ""
    return localizer.say("form_range", low=f"{rules['minimum']:g}", high=f"{rules['maximum']:g}")


def _element(rules: Rules, value: str) -> Block:
    """Return the input of a field; a picker or number that cannot show `value` begins empty."""
    if "enum" in rules:
        return select([option(one, one) for one in rules["enum"][:OPTIONS_LIMIT]], value)
    kind = str(rules.get("format"))
    if kind in _PICKERS:
        begun = {f"initial_{kind}": value} if _PICKERS[kind].match(value) else {}
        return {"type": f"{kind}picker", **begun}
    if rules["type"] != "string":
        return _number_input(rules, value)
    multiline = len(value) > _MULTILINE_LENGTH or "\n" in value
    return text_input(_length(rules), value, multiline=multiline)


def _level_input(localizer: Localizer, kind: str, content: Mapping[str, Any]) -> Block:
    """Return the menu of a level, whose options read like the lines in the list of memories.

    The option of the current level has the stored score, so that saving it changes nothing.
    """
    score = content.get(LEVEL_FIELDS[kind])
    stored = level_of(kind, score) if isinstance(score, int) and 0 < score <= 100 else None
    what = subject(kind, content)
    options: list[Block] = []
    for level in LEVELS[kind]:
        value = str(score if level is stored else level.typical)
        options.append(option(localizer.say(level.key, what=what), value))
    return select(options, str(score) if stored else "")


def _number_input(rules: Rules, value: str) -> Block:
    """Return the input of a number; it begins empty if it cannot show `value`."""
    kind = rules["type"]
    ends = {"min_value": "minimum", "max_value": "maximum"}
    limits = {name: str(rules[end]) for name, end in ends.items() if end in rules}
    low, high = (limits.get(name, value) for name in ends)
    shown = _NUMBERS[kind].match(value) and float(low) <= float(value) <= float(high)
    begun = {"initial_value": value} if shown else {}
    decimal = {"is_decimal_allowed": kind == "number"}
    return {"type": "number_input", **decimal, **limits, **begun}


def _length(rules: Rules) -> int:
    return min(int(rules.get("maxLength") or FIELD_LIMIT), FIELD_LIMIT)


def _audience_input(localizer: Localizer, audience: str) -> Block:
    """Return the input for where a memory may be used."""
    options = []
    for wide in (DM, PUBLIC):
        name = audience_name(localizer, wide)
        options.append(option(name[:1].upper() + name[1:], wide))
    if audience not in (DM, PUBLIC):
        options.append(option(localizer.say("audience_as_now"), audience))
    return input_block(_AUDIENCE, localizer.say("audience_label"), select(options, audience))


def chosen_audience(view: Mapping[str, Any]) -> str:
    """Return where the memory of a submitted form may be used."""
    return _entered(view, _AUDIENCE) or DM


def entered_content(view: Mapping[str, Any], schema: type[BaseModel]) -> dict[str, str | None]:
    """Return the fields of a submitted edit form; None where one was left empty."""
    shown = [name for name in _fields(schema) if _block_id(name) in view["state"]["values"]]
    return {name: _entered(view, _block_id(name)) or None for name in shown}


def typed_text(changed: Mapping[str, str | None], schema: type[BaseModel]) -> str:
    """Return the texts that the person typed in changed fields; choices and dates are left out."""
    fields = _fields(schema)
    return " ".join(text for name, text in changed.items() if text and _is_text(fields[name]))


def edit_errors(
    localizer: Localizer, view: Mapping[str, Any], schema: type[BaseModel]
) -> dict[str, str]:
    """Return the errors of a submitted edit form, by block, judged by the schema alone."""
    content = entered_content(view, schema)
    try:
        validated(schema.__name__, content, [schema])
    except InvalidContent as problem:
        rules = _fields(schema)
        return {
            _block_id(name): field_error(localizer, code, rules[name])
            for name, code in problem.codes.items()
            # A field that no input can hold keeps its value, which the form does not have.
            if name in content
        }
    return _past_due(localizer, view, content) if schema.__name__ == PROMISE_KIND else {}


def _past_due(
    localizer: Localizer, view: Mapping[str, Any], content: Mapping[str, str | None]
) -> dict[str, str]:
    """Return an error if a promise was given a past day or time; its earlier one may stay."""
    day = content.get("due") or ""
    at = content.get("due_time") or ""
    if (day, at) == (_begun_with(view, "due"), _begun_with(view, "due_time")):
        return {}
    if not is_past(localizer, day, at):
        return {}
    field = "due" if is_past(localizer, day, "") else "due_time"
    return {_block_id(field): localizer.say("form_past")}


def _begun_with(view: Mapping[str, Any], field: str) -> str:
    """Return the initial day or time in the input of a field; empty if there is none."""
    for block in view.get("blocks") or []:
        if block.get("block_id") == _block_id(field):
            element = block["element"]
            return str(element.get("initial_date") or element.get("initial_time") or "")
    return ""


def field_error(localizer: Localizer, code: str, rules: Rules | None = None) -> str:
    """Return why a field cannot be stored; `code` is of `memory.InvalidContent`."""
    if code in ("number", "range") and (sentence := _range(localizer, rules or {})):
        return sentence
    if code == "long":
        return localizer.say("form_long", count=_length(rules or {}))
    return localizer.say(_ERRORS.get(code, "form_invalid"))


def lines_of(text: str) -> list[str]:
    """Return the non-empty lines of a text, without bullets and duplicates."""
    lines = (line.strip().lstrip(_BULLETS).strip() for line in text.splitlines())
    return list(dict.fromkeys(line for line in lines if line))


def added_lines(view: Mapping[str, Any]) -> list[str]:
    """Return the lines of a submitted form that adds memories."""
    return lines_of(_entered(view, _LINES))


def add_errors(localizer: Localizer, view: Mapping[str, Any]) -> dict[str, str]:
    """Return why the lines of a submitted form cannot be added, by block."""
    lines = added_lines(view)
    error = ""
    if not lines:
        error = localizer.say("form_missing")
    elif len(lines) > LINES_LIMIT:
        error = localizer.say("add_lines_hint", limit=LINES_LIMIT)
    elif any(len(line) > FIELD_LIMIT for line in lines):
        error = localizer.say("form_long", count=FIELD_LIMIT)
    elif any(redact(line).removed for line in lines):
        error = localizer.say("refused_secret")
    return {_LINES: error} if error else {}


# --- what colleagues can see -------------------------------------------------------------------


def share_form(localizer: Localizer, key: str, sentence: str, place: Place) -> SlackView:
    """Return the form that shows which sentence colleagues will read."""
    blocks = [
        section(f"{localizer.say('card_will_read')}\n{bulleted([escaped(sentence)])}"),
        note(localizer.say("card_who_asks")),
    ]
    act = ShareSentence(place=place, key=key, sentence=sentence)
    return _form(localizer, act, "card_title", "card_show", blocks)


# --- settings ----------------------------------------------------------------------------------


def settings_form(
    localizer: Localizer,
    settings: PersonSettings,
    most_days: int | None,
    place: Place,
    *,
    can_forget: bool,
    can_delete: bool,
) -> SlackView:
    """Return the form with a person's settings as they are, and what they can do with their data.

    Memories are kept for `most_days` (None: without limit) unless the person chooses fewer.
    `can_forget`: something is remembered; `can_delete`: something is kept.
    """
    languages = [option(localizer.say("settings_as_slack"), "slack")]
    languages += [option(LANGUAGE_NAMES[one], one) for one in LANGUAGES]
    notices = [option(localizer.say("switch_on"), "on"), option(localizer.say("switch_off"), "off")]
    eagerness = [option(localizer.say(f"eagerness_{one}"), one) for one in get_args(Eagerness)]
    choices = [days for days in _RETENTION if most_days is None or days < most_days]
    retention = [option(_period(localizer, most_days), "0")]
    retention += [option(_period(localizer, days), str(days)) for days in choices]
    kept = settings.retention_days if settings.retention_days in choices else 0
    selects = {
        "eagerness": select(eagerness, settings.eagerness),
        "notices": select(notices, "on" if settings.notices else "off"),
        "language": select(languages, settings.language or "slack"),
        "retention": select(retention, str(kept)),
    }
    blocks = [
        input_block(name, localizer.say(f"settings_{name}"), element)
        for name, element in selects.items()
    ]
    if can_delete:
        blocks.append({"type": "divider"})
        blocks.append(_data_buttons(localizer, can_forget=can_forget))
    return _form(localizer, SaveSettings(place=place), "settings_title", "form_save", blocks)


def _data_buttons(localizer: Localizer, *, can_forget: bool) -> Block:
    """Return the buttons that export, forget and delete what is stored about a person."""
    buttons = [export_button(localizer)]
    if can_forget:
        confirm = {
            "title": plain_text(localizer.say("forget_everything_button")),
            "text": plain_text(localizer.say("forget_everything_ask")),
            "confirm": plain_text(localizer.say("menu_forget")),
            "deny": plain_text(localizer.say("modal_cancel")),
            "style": "danger",
        }
        everything = Forget(everything=True)
        text = localizer.say("forget_everything_button")
        buttons.append(button(text, everything, confirm=confirm))
    delete = Open(form="delete")
    buttons.append(button(localizer.say("delete_title"), delete, style="danger"))
    return actions(*buttons, block_id="data")


def export_button(localizer: Localizer) -> Block:
    """Return the button that sends the person all data about them."""
    return button(localizer.say("export_title"), Export())


def _period(localizer: Localizer, days: int | None) -> str:
    words = kept_for(localizer, days)
    return words[:1].upper() + words[1:]


def read_settings_form(view: Mapping[str, Any]) -> Choices:
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
        input_block(_WORD, localizer.say("delete_type", word=localizer.say("delete_word")), word),
    ]
    return _form(localizer, DeleteData(place=place), "delete_title", "delete_submit", blocks)


def delete_errors(localizer: Localizer, view: Mapping[str, Any]) -> dict[str, str]:
    """Return the error if the wrong word was typed, by block; the word of any language counts."""
    if _entered(view, _WORD) in {say(language, "delete_word") for language in LANGUAGES}:
        return {}
    return {_WORD: localizer.say("delete_type", word=localizer.say("delete_word"))}


def receipt_view(localizer: Localizer, receipt: PersonErased) -> SlackView:
    """Return the receipt: what is deleted, what will be deleted in Slack, what stays, and why."""
    lines = [localizer.say("counted_memories", count=receipt.memories)]
    lines.append(localizer.say("deleted_rest", count=receipt.total - receipt.memories))
    if receipt.files:
        lines.append(localizer.say("deleted_files", count=receipt.files))
    left = sum(receipt.left.values())
    end = localizer.say("deleted_left", count=left) if left else localizer.say("deleted_none_left")
    stays = [localizer.say("stays_messages"), localizer.say("stays_ids")]
    if receipt.never_formed_messages:
        stays.append(localizer.say("stays_sources", count=receipt.never_formed_messages))
    if receipt.switches:
        stays.append(localizer.say("stays_off"))
    stays.append(localizer.say("stays_backups"))
    return final_view(
        localizer,
        "delete_title",
        f"{localizer.say('deleted')}\n{bulleted(lines)}",
        end,
        f"{localizer.say('stays')}\n{bulleted(stays)}",
    )


# --- a comment ---------------------------------------------------------------------------------


def comment_form(localizer: Localizer, turn: UUID, comment: str, place: Place) -> SlackView:
    """Return the form that asks what was wrong with an answer, with the earlier comment."""
    field = text_input(COMMENT_LIMIT, comment)
    blocks = [
        input_block(_COMMENT, localizer.say("feedback_comment"), field, optional=True),
        note(localizer.say("feedback_who_reads")),
    ]
    act = Comment(place=place, turn=turn)
    return _form(localizer, act, "feedback_bad", "feedback_send", blocks)


def read_comment(view: Mapping[str, Any]) -> str:
    """Return the comment of a submitted form."""
    return _entered(view, _COMMENT)[:COMMENT_LIMIT]
