"""A form for one memory, made from the schema of its kind, and what it is submitted with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from bot.locale import Language, say
from bot.views.blocks import OPTION_VALUE, Block, input_block, option
from bot.views.form_fields import FIELD_LIMIT, Field, fields_of
from bot.views.labels import FIELD_LABELS
from bot.views.reply import credentials_named
from bot.views.views import SlackView, form_view
from memory import SCHEMAS, InvalidContent, credential_kinds, redact, validated

MEMORY_FORM = "memory_form"
# Three steps of a level from 0 to 100: the least level of each, the level it stores, its words.
_STEPS = ((0, 20, "step_little"), (40, 60, "step_quite"), (85, 95, "step_very"))
_TASTE_STEPS = ((0, 20, "step_disliked"), (40, 75, "step_liked"), (90, 95, "step_loved"))
# Of our own kinds: optional fields that only the form of a memory that has them shows, so that the
# form of a new one is short.
_NOT_ASKED = frozenset({"topic", "category", "cuisine", "description", "action", "result"})
# Of our own kinds: a one-word label that no form shows.
_HIDDEN = ("UserFact", "topic")
_ERRORS: Mapping[str, str] = {
    "missing": "form_missing",
    "number": "form_number",
    "range": "form_range",
    "long": "form_too_long",
    "secret": "form_secret",
    "ended": "form_ended",
}


def memory_form(
    language: Language,
    schema: type[BaseModel],
    content: Mapping[str, Any],
    *,
    reference: str,
    seen: str = "",
) -> SlackView:
    """Return the form of the memory that `reference` names.

    `seen` is the time of the version that is shown.
    """
    # Our own kinds have labels in each language; an operator's their titles and descriptions.
    labels = FIELD_LABELS if schema in SCHEMAS else {}
    blocks = [
        _input(language, field, content.get(field.name), labels)
        for field in fields_of(schema, content)
        if not labels or _is_asked(schema, field, content)
    ]
    return form_view(
        language,
        "form_edit_title",
        blocks,
        callback=MEMORY_FORM,
        submit="form_save",
        metadata={"kind": schema.__name__, "memory": reference, "seen": seen},
    )


def _is_asked(schema: type[BaseModel], field: Field, content: Mapping[str, Any]) -> bool:
    """Return whether the form of a memory of a built-in kind has this field."""
    if field.required or field.name not in _NOT_ASKED:
        return True
    return bool(content.get(field.name)) and (schema.__name__, field.name) != _HIDDEN


def _input(language: Language, field: Field, value: Any, labels: Mapping[str, str]) -> Block:
    return input_block(
        field.block_id,
        say(language, labels[field.name]) if field.name in labels else field.title[:100],
        _element(language, field, value),
        optional=not field.required,
        hint=_hint(language, field) or ("" if labels else field.hint[:500]),
    )


def _hint(language: Language, field: Field) -> str:
    if field.input_type == "level":
        return ""
    if field.minimum is not None and field.maximum is not None:
        return say(language, "form_range", low=f"{field.minimum:g}", high=f"{field.maximum:g}")
    if field.input_type == "lines":
        return say(language, "form_lines")
    return ""


def _element(language: Language, field: Field, value: Any) -> Block:
    match field.input_type:
        case "number" | "decimal":
            return {
                "type": "number_input",
                "is_decimal_allowed": field.input_type == "decimal",
                **({"min_value": f"{field.minimum:g}"} if field.minimum is not None else {}),
                **({"max_value": f"{field.maximum:g}"} if field.maximum is not None else {}),
                **({"initial_value": str(value)} if isinstance(value, int | float) else {}),
            }
        case "level" | "choice" | "truth":
            options = _options(language, field, value)
            first = next((o for v, o in options if value is not None and v == value), None)
            return {
                "type": "radio_buttons" if field.input_type == "level" else "static_select",
                "options": [shown for _, shown in options],
                **({"initial_option": first} if first else {}),
            }
    text = "\n".join(map(str, value)) if isinstance(value, list | tuple) else value
    return {
        "type": "plain_text_input",
        "multiline": field.input_type != "text",
        "max_length": field.max_length,
        **({"initial_value": str(text)} if text else {}),
    }


def _options(language: Language, field: Field, value: Any) -> list[tuple[Any, Block]]:
    if field.input_type == "level":
        steps = _TASTE_STEPS if field.name == "preference" else _STEPS
        is_number = isinstance(value, int | float)
        current = [least for least, _, _ in steps if is_number and least <= value]
        # The step that a memory is on keeps its exact level.
        levels = [
            (value if current and least == current[-1] else level, key)
            for least, level, key in steps
        ]
        return [(level, option(say(language, key), str(level))) for level, key in levels]
    if field.input_type == "truth":
        words = ((True, "form_yes"), (False, "form_no"))
        return [(value, option(say(language, key), str(value))) for value, key in words]
    return [(value, option(str(value), str(value))) for value in field.choices]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedForm:
    """The values of a submitted form; `errors` are sentences by block, empty if it is valid."""

    content: dict[str, Any]
    errors: dict[str, str]


def read_form(
    language: Language,
    schema: type[BaseModel],
    state: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> SubmittedForm:
    """Read ``view.state.values`` and check it by the schema, without any lookup.

    `content` holds only the fields that were shown: None where one was left empty. Raises
    LookupError if there are none: every form has one.
    """
    content: dict[str, Any] = {}
    shown: dict[str, Field] = {}
    for field in fields_of(schema, {}):
        if field.block_id in state:
            shown[field.name] = field
            content[field.name] = _value(field, state[field.block_id].get("value") or {})
    if not shown:
        raise LookupError("A form was submitted without its fields.")
    return SubmittedForm(content=content, errors=_errors(language, schema, content, shown))


def _value(field: Field, given: Mapping[str, Any]) -> Any:
    if field.input_type in ("level", "choice", "truth"):
        chosen = (given.get("selected_option") or {}).get("value")
        if field.input_type == "level":
            return chosen
        values = (True, False) if field.input_type == "truth" else field.choices
        return next((value for value in values if str(value)[:OPTION_VALUE] == chosen), None)
    text = str(given.get("value") or "").strip()
    if field.input_type == "lines":
        return [line.strip() for line in text.splitlines() if line.strip()] or None
    return text or None


def _errors(
    language: Language,
    schema: type[BaseModel],
    content: Mapping[str, Any],
    shown: Mapping[str, Field],
) -> dict[str, str]:
    try:
        validated(schema.__name__, content, [schema])
    except InvalidContent as problem:
        # A field that no input can hold keeps its value, which is not here.
        concerned = {
            name: code
            for name, code in problem.codes.items()
            if name in shown or name not in schema.model_fields
        }
    else:
        return {}
    first = next(iter(shown.values()))
    return {
        (field := shown.get(name, first)).block_id: field_error(
            language, code, field, text=str(content.get(name))
        )
        for name, code in concerned.items()
    }


def field_error(
    language: Language, code: str, field: Field | None = None, *, text: str = ""
) -> str:
    """Return why a field with this text cannot be stored; `code` is of `memory.InvalidContent`."""
    key = _ERRORS.get(code, "form_invalid")
    if key == "form_range":
        if field is None or field.minimum is None or field.maximum is None:
            return say(language, "form_invalid")
        return say(language, "form_range", low=f"{field.minimum:g}", high=f"{field.maximum:g}")
    if key == "form_too_long":
        return say(language, "form_too_long", count=field.max_length if field else FIELD_LIMIT)
    if key == "form_secret":
        kinds = credential_kinds(redact(text).removed) or ("password",)
        return say(language, "form_secret", what=credentials_named(language, kinds))
    return say(language, key)
