"""The forms: a memory, settings, *Delete all my data*, and a comment on an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast, get_args

from pydantic import BaseModel

from bot.locale import LANGUAGE_NAMES, LANGUAGES, known_language, say
from bot.types import Eagerness, PersonErased, PersonSettings
from bot.ui.blocks import (
    LINE_LIMIT,
    OPTION_VALUE,
    Block,
    SlackView,
    bulleted,
    input_block,
    note,
    option,
    plain_text,
    section,
    select,
    text_input,
)
from bot.ui.cards import QUESTIONS
from bot.ui.lines import audience_name, kept_for, says_nothing_more
from bot.ui.reader import Reader
from memory import DM, PUBLIC, SCHEMAS, InvalidContent, Memory
from memory.credentials import redact
from memory.model import LEVEL_FIELDS, PROMISE_KIND
from memory.store import validated

MEMORY_FORM, SETTINGS_FORM = "memory", "settings"
DELETE_FORM, COMMENT_FORM = "delete_all", "comment"
LINES_LIMIT = 50
COMMENT_LIMIT = 1_000
# Source: https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element
_LINES_LENGTH = 3_000
FIELD_LIMIT = 2_000  # as `MAX_TEXT` of memory.model.text
# Slack asks for six inputs at most, and two say where a memory may be used.
_MAX_FIELDS, _MAX_CHOICES = 4, 100
_MULTILINE_LENGTH = 60
_MAX_NUMBER = 10**12
# Of our own kinds: optional fields that are shown where they have a value; a label that never is.
_NOT_ASKED = frozenset({"topic", "category", "cuisine", "description", "action", "result"})
_HIDDEN = frozenset({("UserFact", "topic"), (PROMISE_KIND, "state")})
_AUDIENCE, _CONVERSATION, _LINES = "audience", "conversation", "lines"
_WORD, _COMMENT = "word", "comment"
# Markers of lists, with which pasted lines begin.
_BULLETS = "-–*•·▪◦ \t"
_ERRORS = frozenset({"missing", "number", "range", "long", "secret", "ended"})
_RETENTION = (30, 90, 180, 365)

InputType: TypeAlias = Literal["text", "number", "choice", "date", "time"]
# The elements for a day and a time of day, and what their values are called.
_PICKERS = {"date": "selected_date", "time": "selected_time"}
_PICKED = {
    "date": re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\Z"),
    "time": re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]\Z"),
}


def _form(
    reader: Reader,
    callback: str,
    title: str,
    submit: str,
    blocks: Sequence[Block],
    **metadata: str,
) -> SlackView:
    """Return a modal with something to submit; its metadata come back with the submission."""
    return {
        "type": "modal",
        "callback_id": callback,
        "title": plain_text(reader.say(title)),
        "submit": plain_text(reader.say(submit)),
        "close": plain_text(reader.say("modal_cancel")),
        "private_metadata": json.dumps(metadata),
        "blocks": list(blocks),
    }


def final_view(reader: Reader, title: str, *texts: str) -> SlackView:
    """Return a modal that says how a submission ended."""
    return {
        "type": "modal",
        "title": plain_text(reader.say(title)),
        "close": plain_text(reader.say("modal_close")),
        "blocks": [section(text) for text in texts],
    }


def metadata_of(view: Mapping[str, Any]) -> dict[str, str]:
    """Return what a form was opened with."""
    metadata = json.loads(view.get("private_metadata") or "{}")
    return {str(name): str(value) for name, value in metadata.items()}


def _entered(view: Mapping[str, Any], block_id: str) -> Mapping[str, Any]:
    """Return the state of an input of a submitted form; empty where the form has no such input."""
    elements = view["state"]["values"].get(block_id) or {}
    return next(iter(elements.values()), None) or {}


def _text(view: Mapping[str, Any], block_id: str) -> str:
    return str(_entered(view, block_id).get("value") or "").strip()


def _chosen(view: Mapping[str, Any], block_id: str) -> str:
    return str((_entered(view, block_id).get("selected_option") or {}).get("value") or "")


# --- a memory ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input for a memory. `minimum` and `maximum` bound a number, `max_length` a text."""

    name: str
    input_type: InputType
    required: bool
    title: str
    minimum: float | None = None
    maximum: float | None = None
    max_length: int = FIELD_LIMIT
    choices: tuple[Any, ...] = ()

    @property
    def block_id(self) -> str:
        """The id of its block, under which an error is shown."""
        return f"field.{self.name}"


def fields_of(schema: type[BaseModel], content: Mapping[str, Any]) -> list[Field]:
    """Return the inputs for `content`, four at most, those that must be filled in first.

    A field that no input can hold, such as a list, is left out and keeps its value.
    """
    found = [
        field
        for field in _all_fields(schema)
        if _is_asked(schema, field, content)
        and len(str(content.get(field.name) or "")) <= FIELD_LIMIT
    ]
    return sorted(found, key=lambda field: not field.required)[:_MAX_FIELDS]


def _all_fields(schema: type[BaseModel]) -> list[Field]:
    described = schema.model_json_schema()
    required = set(described.get("required") or ())
    return [
        field
        for name, rules in (described.get("properties") or {}).items()
        if (field := _field(name, _resolved(rules, described), name in required))
    ]


def _is_asked(schema: type[BaseModel], field: Field, content: Mapping[str, Any]) -> bool:
    if schema in SCHEMAS and (schema.__name__, field.name) in _HIDDEN:
        return False
    if schema not in SCHEMAS or field.required or field.name not in _NOT_ASKED:
        return True
    return bool(content.get(field.name))


def _resolved(rules: Mapping[str, Any], described: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rules of a field without ``null``, and with what they refer to in their place."""
    outer = {key: rules[key] for key in ("title", "description") if key in rules}
    for one in [*rules.get("anyOf", ()), *rules.get("allOf", ())]:
        if one.get("type") != "null":
            rules = one
            break
    if "$ref" in rules:
        rules = described["$defs"][str(rules["$ref"]).rpartition("/")[2]]
    return {**rules, **outer}


def _field(name: str, rules: Mapping[str, Any], required: bool) -> Field | None:
    choices = tuple(rules.get("enum") or ([rules["const"]] if "const" in rules else ()))
    kinds: dict[str, InputType] = {"string": "text", "integer": "number", "number": "number"}
    input_type = "choice" if choices else kinds.get(str(rules.get("type")))
    if input_type == "text" and rules.get("format") in _PICKERS:
        input_type = cast("InputType", rules["format"])
    if input_type is None:
        return None
    return Field(
        name=name,
        input_type=input_type,
        required=required,
        title=str(rules.get("title") or name.replace("_", " ").title()),
        minimum=rules.get("minimum", rules.get("exclusiveMinimum")),
        maximum=rules.get("maximum", rules.get("exclusiveMaximum")),
        max_length=min(int(rules.get("maxLength") or FIELD_LIMIT), FIELD_LIMIT),
        choices=choices[:_MAX_CHOICES],
    )


def edit_form(
    reader: Reader, schema: type[BaseModel], memory: Memory, **metadata: str
) -> SlackView:
    """Return the form of a memory with what it says now; `schema` is that of its kind."""
    # Our own kinds have labels in each language; an operator's have their titles.
    own = schema in SCHEMAS
    blocks = [
        input_block(
            field.block_id,
            reader.say(f"field_{field.name}") if own else field.title[:100],
            _element(field, memory.content.get(field.name)),
            optional=not field.required,
            hint=_hint(reader, field),
        )
        for field in fields_of(schema, memory.content)
    ]
    blocks += _audience_inputs(reader, memory.namespace.audience)
    metadata |= {"key": memory.key, "kind": memory.kind, "seen": memory.updated_at.isoformat()}
    return _form(reader, MEMORY_FORM, "form_edit_title", "form_save", blocks, **metadata)


def add_form(reader: Reader, **metadata: str) -> SlackView:
    """Return the form that adds memories: one field, whose lines are formed like messages."""
    hint = reader.say("add_lines_hint", limit=LINES_LIMIT)
    field = input_block(_LINES, reader.say("field_fact"), text_input(_LINES_LENGTH), hint=hint)
    blocks = [field, *_audience_inputs(reader, DM)]
    return _form(reader, MEMORY_FORM, "add_button", "remember_button", blocks, **metadata)


def _hint(reader: Reader, field: Field) -> str:
    if field.minimum is None or field.maximum is None:
        return ""
    return reader.say("form_range", low=f"{field.minimum:g}", high=f"{field.maximum:g}")


def _element(field: Field, value: Any) -> Block:
    match field.input_type:
        case "number":
            return {
                "type": "number_input",
                "is_decimal_allowed": True,
                **({"initial_value": str(value)} if _is_number(value) else {}),
            }
        case "date" | "time" as kind:
            begun = {f"initial_{kind}": value} if _PICKED[kind].match(str(value)) else {}
            return {"type": f"{kind}picker", **begun}
        case "choice":
            return select([option(str(one), str(one)) for one in field.choices], str(value))
    text = str(value or "")
    multiline = len(text) > _MULTILINE_LENGTH or "\n" in text
    return text_input(field.max_length, text, multiline=multiline)


def _is_number(value: Any) -> bool:
    """Return whether an input can begin with a stored value, which may be of another schema."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) <= _MAX_NUMBER


def _audience_inputs(reader: Reader, audience: str) -> list[Block]:
    """Return the inputs for where a memory may be used; a conversation overrides the choice."""
    choices = [DM, PUBLIC, *([audience] if audience not in (DM, PUBLIC) else [])]
    options = [option(_plain(reader, one), one) for one in choices]
    conversations = {
        "type": "conversations_select",
        "filter": {"include": ["private", "mpim"], "exclude_bot_users": True},
    }
    return [
        input_block(_AUDIENCE, reader.say("audience_label"), select(options, audience)),
        input_block(
            _CONVERSATION,
            reader.say("audience_conversation"),
            conversations,
            optional=True,
            hint=reader.say("audience_hint"),
        ),
    ]


def _plain(reader: Reader, audience: str) -> str:
    if audience in (DM, PUBLIC):
        name = audience_name(reader, audience)
        return name[:1].upper() + name[1:]
    return reader.say("audience_as_now")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedMemory:
    """A submitted memory form; `errors` are sentences by block, empty if it is valid.

    `lines` are what is to be added, `answers` those to the questions, by name. `content` are the
    fields of an edited memory: None where one was left empty. `audience` is the choice, or the id
    of a chosen `conversation`.
    """

    lines: Sequence[str] = ()
    answers: Mapping[str, str]
    content: Mapping[str, Any]
    audience: str
    conversation: str
    errors: Mapping[str, str]


def read_memory_form(
    reader: Reader, view: Mapping[str, Any], schemas: Sequence[type[BaseModel]]
) -> SubmittedMemory:
    """Read and check a submitted memory form, without any lookup."""
    content: dict[str, Any] = {}
    lines: list[str] = []
    errors: dict[str, str] = {}
    answers = {name: text for name in QUESTIONS if (text := _text(view, name))}
    if kind := metadata_of(view).get("kind"):
        # LookupError: a kind that the operator has removed meanwhile.
        schema = {one.__name__: one for one in schemas}[kind]
        state = view["state"]["values"]
        shown = {field.name: field for field in _all_fields(schema) if field.block_id in state}
        content = {name: _value(view, field) for name, field in shown.items()}
        errors = _errors(reader, schema, content, shown)
    elif _LINES in view["state"]["values"]:
        lines = lines_of(_text(view, _LINES))
        errors = {_LINES: reason} if (reason := lines_error(reader, lines)) else {}
    return SubmittedMemory(
        lines=lines,
        answers=answers,
        content=content,
        audience=_chosen(view, _AUDIENCE) or DM,
        conversation=str(_entered(view, _CONVERSATION).get("selected_conversation") or ""),
        errors=errors,
    )


def _value(view: Mapping[str, Any], field: Field) -> Any:
    if field.input_type == "choice":
        chosen = _chosen(view, field.block_id)
        return next((one for one in field.choices if str(one)[:OPTION_VALUE] == chosen), None)
    if picked := _PICKERS.get(field.input_type):
        return _entered(view, field.block_id).get(picked)
    return _text(view, field.block_id) or None


def _errors(
    reader: Reader,
    schema: type[BaseModel],
    content: Mapping[str, Any],
    shown: Mapping[str, Field],
) -> dict[str, str]:
    try:
        validated(schema.__name__, content, [schema])
    except InvalidContent as problem:
        # A field that no input can hold keeps its value, which is not here.
        found = [(shown[name], code) for name, code in problem.codes.items() if name in shown]
        return {field.block_id: field_error(reader, code, field) for field, code in found}
    return {}


def field_error(reader: Reader, code: str, field: Field | None = None) -> str:
    """Return why a field cannot be stored; `code` is of `memory.InvalidContent`."""
    key = f"form_{code}" if code in _ERRORS else "form_invalid"
    if key == "form_range":
        return (_hint(reader, field) if field else "") or reader.say("form_invalid")
    if key == "form_long":
        return reader.say(key, count=field.max_length if field else FIELD_LIMIT)
    return reader.say(key)


def lines_of(text: str) -> list[str]:
    """Return the lines of a text that are not empty, without bullets, each once."""
    lines = (line.strip().lstrip(_BULLETS).strip() for line in text.splitlines())
    return list(dict.fromkeys(line for line in lines if line))


def lines_error(reader: Reader, lines: Sequence[str]) -> str:
    """Return why lines cannot be added; empty if they can."""
    if not lines:
        return reader.say("form_missing")
    if len(lines) > LINES_LIMIT:
        return reader.say("add_too_many", limit=LINES_LIMIT)
    if any(len(line) > FIELD_LIMIT for line in lines):
        return reader.say("form_long", count=FIELD_LIMIT)
    return reader.say("form_secret") if any(redact(line).removed for line in lines) else ""


def edited_content(
    kind: str, content: Mapping[str, Any], entered: Mapping[str, Any]
) -> dict[str, Any]:
    """Return `content` with what was entered; a sentence about the level before goes with it."""
    whole = {**content, **entered}
    level = LEVEL_FIELDS.get(kind, "")
    changed = str(whole.get(level)) != str(content.get(level))
    same = whole.get("description") == content.get("description")
    if changed and same and says_nothing_more(kind, content):
        whole["description"] = None
    return whole


# --- settings ----------------------------------------------------------------------------------


def settings_form(reader: Reader, settings: PersonSettings, **metadata: str) -> SlackView:
    """Return the form with a person's settings as they are."""
    days = settings.retention_days or 0
    languages = [option(reader.say("settings_as_slack"), "slack")]
    languages += [option(LANGUAGE_NAMES[one], one) for one in LANGUAGES]
    notices = [option(reader.say("switch_on"), "on"), option(reader.say("switch_off"), "off")]
    retention = [option(_period(reader, None), "0")]
    retention += [option(_period(reader, one), str(one)) for one in _RETENTION]
    eagerness = [option(reader.say(f"eagerness_{one}"), one) for one in get_args(Eagerness)]
    selects = {
        "eagerness": select(eagerness, settings.eagerness),
        "notices": select(notices, "on" if settings.notices else "off"),
        "language": select(languages, settings.language or "slack"),
        "retention": select(retention, str(days)),
    }
    blocks = [
        input_block(name, reader.say(f"settings_{name}"), element)
        for name, element in selects.items()
    ]
    return _form(reader, SETTINGS_FORM, "settings_title", "form_save", blocks, **metadata)


def _period(reader: Reader, days: int | None) -> str:
    words = kept_for(reader, days)
    return words[:1].upper() + words[1:]


def read_settings_form(view: Mapping[str, Any]) -> dict[str, Any]:
    """Return the choices; Slack lets nothing but the options of the form through."""
    return {
        "eagerness": _chosen(view, "eagerness"),
        "notices": _chosen(view, "notices") == "on",
        "language": known_language(_chosen(view, "language")),
        "retention_days": int(_chosen(view, "retention")) or None,
    }


# --- Delete all my data ------------------------------------------------------------------------


def delete_form(reader: Reader, **metadata: str) -> SlackView:
    """Return the question: what goes, what stays, and the word to type."""
    word = text_input(20, multiline=False)
    blocks = [
        section(reader.say("delete_ask")),
        note(reader.say("delete_stays")),
        input_block(_WORD, reader.say("delete_type", word=reader.say("delete_word")), word),
    ]
    return _form(reader, DELETE_FORM, "delete_title", "delete_submit", blocks, **metadata)


def delete_errors(reader: Reader, view: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with what was typed, by block; the word of any language counts."""
    if _text(view, _WORD) in {say(language, "delete_word") for language in LANGUAGES}:
        return {}
    return {_WORD: reader.say("delete_type", word=reader.say("delete_word"))}


def receipt_view(reader: Reader, receipt: PersonErased) -> SlackView:
    """Return the receipt: what was deleted, what will be in Slack, and what stays and why."""
    memories = receipt.counts.get("store", 0)
    lines = [reader.say("counted_memories", count=memories)]
    lines.append(reader.say("deleted_rest", count=receipt.total - memories))
    if receipt.files:
        lines.append(reader.say("deleted_files", count=receipt.files))
    left = sum(receipt.left.values())
    end = reader.say("deleted_left", count=left) if left else reader.say("deleted_none_left")
    stays = [reader.say("stays_messages"), reader.say("stays_titles"), reader.say("stays_ids")]
    if receipt.never_formed_messages:
        stays.append(reader.say("stays_sources", count=receipt.never_formed_messages))
    stays.append(reader.say("stays_backups"))
    return final_view(
        reader,
        "delete_title",
        f"{reader.say('deleted')}\n{bulleted(lines)}",
        end,
        f"{reader.say('stays')}\n{bulleted(stays)}",
    )


# --- a comment ---------------------------------------------------------------------------------


def comment_form(reader: Reader, turn: str, comment: str) -> SlackView:
    """Return the form that asks what was wrong with an answer, with the earlier comment."""
    blocks = [
        input_block(_COMMENT, reader.say("feedback_comment"), text_input(COMMENT_LIMIT, comment)),
        note(reader.say("feedback_who_reads")),
    ]
    return _form(reader, COMMENT_FORM, "feedback_title", "feedback_send", blocks, turn=turn)


def read_comment(view: Mapping[str, Any]) -> tuple[str, str]:
    """Return the turn and the comment of a submitted form."""
    return metadata_of(view)["turn"], _text(view, _COMMENT)[:COMMENT_LIMIT]


# --- the card ----------------------------------------------------------------------------------


def card_form(reader: Reader, **metadata: str) -> SlackView:
    """Return the form with the questions of *How to work with me*; each may be left empty."""
    blocks = [
        note(reader.say("card_form_note")),
        *(
            input_block(
                name,
                reader.say(f"card_{name}"),
                text_input(LINE_LIMIT, multiline=False),
                optional=True,
            )
            for name in QUESTIONS
        ),
    ]
    return _form(reader, MEMORY_FORM, "card_title", "form_save", blocks, **metadata)
