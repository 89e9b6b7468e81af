"""The built-in kinds of memory as Pydantic models, and what they declare about their fields.

``UserTechInterest`` and ``UserFoodPreference`` come from two articles by noboru-kudo
(docs/examples), with their names and fields; ``Episode`` comes from LangMem's guide to episodic
memories, without the assistant's thoughts, because only the person's words are evidence. Fields may
be added; stored ones keep their names. Models read the descriptions, which are in English: Japanese
costs most tokenizers two to three times as many tokens.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from datetime import date, time
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.json_schema import SkipJsonSchema

from memory.model.sameness import subject_column
from memory.model.text import Json, texts

ClockTime = Annotated[
    str,
    Field(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", json_schema_extra={"format": "time"}
    ),
]
Score = Annotated[int, Field(ge=0, le=100)]
Content: TypeAlias = Mapping[str, Any]
"""What a memory says: the fields of its kind, by their names."""
Subject: TypeAlias = tuple[str, str]
"""What a memory is about: its kind, and its subject normalised for comparison."""


class UserTechInterest(BaseModel):
    """A technology that the person is interested in, uses or learns"""

    model_config = ConfigDict(json_schema_extra={"kioku": {"level": "interest_level"}})

    topic: Annotated[str, Field(description="Name of the technology")]
    category: Annotated[
        str | None, Field(description="Its field, such as databases")
    ] = None
    interest_level: Annotated[
        Score | None, Field(description="1 hardly any, 100 strongest")
    ] = None
    description: Annotated[
        str | None, Field(description="Purpose, experience or use, as they say it")
    ] = None


class UserFoodPreference(BaseModel):
    """Food or drink that the person likes or dislikes"""

    model_config = ConfigDict(json_schema_extra={"kioku": {"level": "preference"}})

    food_name: Annotated[str, Field(description="Name of the food or drink")]
    cuisine: Annotated[
        str | None, Field(description="Such as Japanese, Italian, sweets")
    ] = None
    preference: Annotated[Score | None, Field(description="1 hates, 100 loves")] = None
    description: Annotated[
        str | None, Field(description="Taste, ingredients or occasion, as they say it")
    ] = None


class UserFact(BaseModel):
    """Another fact about the person: allergies, home, work, plans"""

    fact: str = Field(
        ...,
        description="One sentence, as they say it",
    )
    topic: str | None = Field(None, description="Such as health, home, work")


class UserInstruction(BaseModel):
    """A lasting wish about the form, length, language or tone of answers"""

    instruction: str = Field(
        ...,
        description="One sentence, as they say it",
    )


class Episode(BaseModel):
    """An experience that the person tells: a situation, what they tried, what came of it"""

    observation: str = Field(..., description="The situation and its problem")
    action: str | None = Field(None, description="What they tried")
    result: str | None = Field(None, description="What came of it")


class Promise(BaseModel):
    """What the person promised, or asks to be reminded of; no plan or wish"""

    promise: str = Field(..., description="What they will do, in their words")
    to: str | None = Field(None, description="Promised to")
    due: date | None = Field(None, description="Day")
    due_time: ClockTime | None = Field(None, description="HH:MM")
    state: Literal["open", "done", "dropped"] = Field(
        "open", description="dropped: called off"
    )


SCHEMAS: tuple[type[BaseModel], ...] = (
    UserTechInterest,
    UserFoodPreference,
    UserFact,
    UserInstruction,
    Episode,
    Promise,
)


def by_kind(schemas: Iterable[type[BaseModel]]) -> dict[str, type[BaseModel]]:
    """Return schemas by the names of their kinds."""
    return {schema.__name__: schema for schema in schemas}


BUILT_IN_KINDS: Mapping[str, type[BaseModel]] = by_kind(SCHEMAS)
INSTRUCTION_KIND = UserInstruction.__name__
EPISODE_KIND = Episode.__name__
PROMISE_KIND = Promise.__name__
DUE_FIELDS = ("due", "due_time")
"""The fields of a promise that its verdict fills in: the memory model is not told the date."""

# The field of each kind that is a level (0 to 100); a memory with level 0 is removed.
LEVEL_FIELDS: dict[str, str] = {}
# The field of each kind that names its subject.
SUBJECT_FIELDS: dict[str, str] = {}
_MODELS: dict[str, type[BaseModel]] = {}

# The key in `model_config["json_schema_extra"]` that declares the subject and level fields.
DECLARATION = "kioku"


def register_schemas(schemas: Iterable[type[BaseModel]]) -> tuple[type[BaseModel], ...]:
    """Add the subject and level field of each schema to this process's registry; return them.

    `schema_of`, `subject_key` and `level` look kinds up in that registry, because stored rows name
    only their kind. A model declares its fields by
    ``json_schema_extra={"kioku": {"subject": "name", "level": "score"}}``.
    Without a declaration the subject is the first required text field, and there is no level. See
    `memory.model.custom_schemas.load_schemas` for the checks.
    """
    kinds = tuple(schemas)
    for schema in kinds:
        _MODELS[schema.__name__] = schema
        declared = declaration(schema)
        about = declared.get("subject") or first_text(schema)
        if about:
            SUBJECT_FIELDS[schema.__name__] = about
        if "level" in declared:
            LEVEL_FIELDS[schema.__name__] = declared["level"]
    return kinds


def schema_of(kind: str) -> type[BaseModel] | None:
    """Return the registered schema of a kind, if there is one."""
    return _MODELS.get(kind)


def declaration(schema: type[BaseModel]) -> dict[str, str]:
    """Return the declared field names of a model."""
    extra = schema.model_config.get("json_schema_extra")
    said = extra.get(DECLARATION) if isinstance(extra, dict) else None
    if not isinstance(said, dict):
        return {}
    return {name: str(value) for name, value in said.items()}


def first_text(schema: type[BaseModel]) -> str | None:
    """Return the first required text field of a model, else its first one, if any."""
    first: str | None = None
    for name, rules in field_rules(schema).items():
        is_free = rules.keys().isdisjoint(("enum", "const", "format"))
        if rules.get("type") == "string" and is_free:
            if rules["required"]:
                return name
            first = first or name
    return first


def subject(kind: str, content: Content) -> str:
    """Return the subject of a memory, in the person's words; the first text if it names none."""
    named = content.get(SUBJECT_FIELDS.get(kind, ""))
    if isinstance(named, str) and named:
        return named
    return next(filter(None, texts(content)), "")


def subject_fields(kind: str, content: Content) -> set[str]:
    """Return the names of the fields that identify a memory: all of them for an unknown kind."""
    named = SUBJECT_FIELDS.get(kind)
    return {named} if named else set(content)


def subject_key(kind: str, content: Content) -> str:
    """Return the subject of a content, normalised for comparison."""
    return subject_column(subject(kind, content))


def kind_and_subject(kind: str, content: Content) -> Subject:
    """Return what a memory is about; no two memories are about the same."""
    return kind, subject_key(kind, content)


def is_open_promise(kind: str, content: Content) -> bool:
    """Return whether a memory is a promise that is neither kept nor dropped."""
    return kind == PROMISE_KIND and content.get("state") == "open"


def due_of(content: Content) -> tuple[date, time | None] | None:
    """Return the day of a promise, and its time if it has one.

    Return None without a day, and for texts that are none, as another tool may have written.
    """
    try:
        day = date.fromisoformat(str(content.get("due")))
        clock = content.get("due_time")
        return day, time.fromisoformat(str(clock)) if clock else None
    except ValueError:
        return None


def lenient(schema: type[BaseModel], content: Content) -> BaseModel:
    """Return stored content as an instance of its kind. Raises `ValidationError`.

    Even of a strict kind, dates are stored as texts, and a stored field may be no field of the kind
    (any more): those are left out. NaN and infinity are no numbers: JSON has none.
    """
    kind = _without_nan(schema)
    return kind.model_validate(dict(content), strict=False, extra="ignore")


class _WithoutNan(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)


@cache
def _without_nan(schema: type[BaseModel]) -> type[BaseModel]:
    """Return `schema` with finite numbers only."""
    return create_model(schema.__name__, __base__=(schema, _WithoutNan))


def searchable_text(content: Content) -> str:
    """Return the text of a memory that is embedded: its text values, without the field names."""
    return " ".join(filter(None, texts(content)))


def fields_with_value(content: Content) -> Json:
    """Return the fields of a content that have a value."""
    return {name: value for name, value in content.items() if value is not None}


def named_fields(content: Content, names: Container[str]) -> Json:
    """Return those fields of a content that are in `names`."""
    return {name: value for name, value in content.items() if name in names}


def changed_fields(content: Content, before: Content) -> Json:
    """Return the fields of a content whose values are not those that they had `before`."""
    return {name: value for name, value in content.items() if value != before.get(name)}


def level(kind: str, content: Content) -> Any:
    """Return the level, 0 to 100, or None if the kind or the content has none."""
    return content.get(LEVEL_FIELDS.get(kind, ""))


class _ExtractedKind(_WithoutNan):
    """The base of the kinds as the memory model sees them.

    trustcall asks each of them for its JSON schema in every run, and building one takes 0.6 ms. It
    validates what is stored and written, as JSON: see `lenient`. A tool is called by the title of
    its schema, which is the name of the kind.
    """

    model_config = ConfigDict(extra="ignore", title=None)

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the JSON schema; a call without arguments returns the cached one."""
        if args or kwargs:
            return super().model_json_schema(*args, **kwargs)
        return _default_json_schema(cls)

    @classmethod
    def model_validate(cls, obj: Any, **_: Any) -> Any:
        """Validate stored content as `lenient` does, in the models of its fields, too."""
        return super().model_validate(obj, strict=False, extra="ignore")


@cache
def _default_json_schema(kind: type[_ExtractedKind]) -> dict[str, Any]:
    return super(_ExtractedKind, kind).model_json_schema()


@cache
def with_evidence(schema: type[BaseModel]) -> type[BaseModel]:
    """Return `schema` as the memory model sees it: with `evidence`, and without due dates."""
    fields: dict[str, Any] = {"evidence": (str, ...)}
    if schema is Promise:
        unseen = Annotated[str | None, SkipJsonSchema()]
        fields |= dict.fromkeys(DUE_FIELDS, (unseen, None))
    bases = (schema, _ExtractedKind)
    return create_model(
        schema.__name__, __base__=bases, __doc__=schema.__doc__, **fields
    )


FieldRules: TypeAlias = Mapping[str, Any]
"""The JSON schema of one field of a kind, and whether the field is ``required``.

Of a field that accepts several types it is the schema of the first one, with all in ``anyOf``.
"""


@cache
def field_rules(schema: type[BaseModel]) -> Mapping[str, FieldRules]:
    """Return the rules of each field of a kind, without ``null`` and with references resolved."""
    described = schema.model_json_schema()
    # The schema of a kind that holds others of itself is a reference.
    whole = _resolved(described, described)
    required = whole.get("required", [])
    fields: dict[str, FieldRules] = {}
    for name, declared in whole.get("properties", {}).items():
        rules = _resolved(declared, described)
        fields[name] = {**rules, "required": name in required}
    return fields


def _resolved(declared: FieldRules, described: FieldRules) -> FieldRules:
    parts = declared.get("anyOf", [])
    alternatives = [part for part in parts if part.get("type") != "null"]
    rules = alternatives[0] if alternatives else declared
    if "$ref" in rules:
        _, _, name = str(rules["$ref"]).rpartition("/")
        rules = described["$defs"][name]
    # The title and the description of the field itself count, not those of its type.
    outer = {key: declared[key] for key in ("title", "description") if key in declared}
    if len(alternatives) > 1:
        outer["anyOf"] = alternatives
    return {**rules, **outer}


register_schemas(SCHEMAS)
