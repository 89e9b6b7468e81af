"""The built-in kinds of memory as Pydantic models, and what they declare of their fields.

``UserTechInterest`` and ``UserFoodPreference`` come from two articles by noboru-kudo
(docs/examples), with their names and fields, ``Episode`` from LangMem's guide to episodic memories
without the assistant's thoughts: only the person's words are evidence. Fields may be added; stored
ones keep their names. Descriptions are part of what the memory model reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.json_schema import SkipJsonSchema

from memory.model.text import name_of

ClockTime = Annotated[
    str,
    Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", json_schema_extra={"format": "time"}),
]
Score = Annotated[int, Field(ge=0, le=100)]


class UserTechInterest(BaseModel):
    """本人が興味を持つ、または学んでいる技術"""

    model_config = ConfigDict(json_schema_extra={"kioku": {"level": "interest_level"}})

    topic: Annotated[str, Field(description="技術の名前（言語、ツール、サービス、手法など）")]
    category: Annotated[
        str | None, Field(description="その技術が属する領域（例：クラウド、データベース、AI）")
    ] = None
    interest_level: Annotated[
        Score | None, Field(description="興味の強さ。0が最も弱く、100が最も強い")
    ] = None
    description: Annotated[
        str | None, Field(description="目的、経験、使い方など、本人が添えた詳細")
    ] = None


class UserFoodPreference(BaseModel):
    """本人の食べ物や飲み物の好き嫌い"""

    model_config = ConfigDict(json_schema_extra={"kioku": {"level": "preference"}})

    food_name: Annotated[str, Field(description="食べ物や飲み物の名前")]
    cuisine: Annotated[
        str | None, Field(description="どこの、または何の料理か（例：和食、イタリア料理、菓子）")
    ] = None
    preference: Annotated[
        Score | None, Field(description="どれくらい好きか。0が最低、100が最高")
    ] = None
    description: Annotated[
        str | None, Field(description="味、具、食べ方など、本人が添えた詳細")
    ] = None


class UserFact(BaseModel):
    """ユーザー本人についてのその他の事実（アレルギー、住まい、仕事、予定など）"""

    fact: str = Field(
        ...,
        description="本人が述べた事実を一文で（例：ピーナッツアレルギーがある、大阪に住んでいる）",
    )
    topic: str | None = Field(None, description="何についての事実か（例：健康、住まい、仕事）")


class UserInstruction(BaseModel):
    """アシスタントの答え方についての、ユーザー本人の継続的な希望（形式、長さ、言語、口調）"""

    instruction: str = Field(
        ...,
        description="答え方の希望を本人の言葉で一文に（例：箇条書きで答える、敬語は使わない）",
    )


class Episode(BaseModel):
    """ユーザー本人が語った経験：ある状況で何を試し、どうなったか（似た場面で例として思い出す）"""

    observation: str = Field(
        ..., description="どんな状況で、何が問題だったか（例：デプロイのたびに10分止まっていた）"
    )
    action: str | None = Field(None, description="何を試したか（例：マイグレーションを分けた）")
    result: str | None = Field(None, description="どうなったか（例：停止なしで出せるようになった）")


class Promise(BaseModel):
    """ユーザー本人が誰かに「する」と約束したこと（他の人の約束、予定、願望は含まない）"""

    promise: str = Field(
        ..., description="何をすると約束したか、本人の言葉で（例：第3四半期の数字を送る）"
    )
    to: str | None = Field(None, description="誰に約束したか")
    due: date | None = Field(None, description="期日")
    due_time: ClockTime | None = Field(None, description="時刻（HH:MM）")
    state: Literal["open", "done", "dropped"] = Field(
        "open", description="open：まだ、done：果たした、dropped：取りやめた"
    )


# The built-in kinds, with what each records in the memory model's instructions, which are English.
PURPOSES: Mapping[type[BaseModel], str] = {
    UserTechInterest: "technologies that the person is interested in, uses or learns",
    UserFoodPreference: "food and drink that they like or dislike",
    UserFact: "other facts about them",
    UserInstruction: "lasting wishes about how answers are given",
    Episode: "experiences that they tell: the situation, what was tried, what came of it",
    Promise: "what they have promised somebody to do; `state` once it is done or dropped",
}
SCHEMAS = tuple(PURPOSES)
BUILT_IN_KINDS: Mapping[str, type[BaseModel]] = {schema.__name__: schema for schema in SCHEMAS}
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

    `subject`, `thing` and `level` look fields up in that registry, because stored rows name only
    their kind. A model declares its fields by
    ``json_schema_extra={"kioku": {"subject": "name", "level": "score"}}``.
    Without a declaration the subject is the first required text field, and there is no level. See
    `memory.model.custom_schemas.load_schemas` for the checks.
    """
    kinds = tuple(schemas)
    for schema in kinds:
        _MODELS[schema.__name__] = schema
        declared = declaration(schema)
        if about := declared.get("subject") or first_text(schema):
            SUBJECT_FIELDS[schema.__name__] = about
        if "level" in declared:
            LEVEL_FIELDS[schema.__name__] = declared["level"]
    return kinds


def declaration(schema: type[BaseModel]) -> dict[str, str]:
    """Return the declared field names of a model."""
    extra = schema.model_config.get("json_schema_extra")
    said = extra.get(DECLARATION) if isinstance(extra, dict) else None
    return {name: str(value) for name, value in said.items()} if isinstance(said, dict) else {}


def first_text(schema: type[BaseModel]) -> str | None:
    """Return the first required text field of a model, else its first one, if any."""
    texts = [
        (not field.is_required(), place, name)
        for place, (name, field) in enumerate(schema.model_fields.items())
        if field.annotation is str or str in get_args(field.annotation)
    ]
    return min(texts)[2] if texts else None


def subject(kind: str, content: Mapping[str, Any]) -> str:
    """Return the subject of a memory, in the person's words; the first text for unknown kinds."""
    named = content.get(SUBJECT_FIELDS.get(kind, ""))
    if isinstance(named, str) and named:
        return named
    return next((v for v in content.values() if isinstance(v, str) and v), "")


def subject_fields(kind: str, content: Mapping[str, Any]) -> set[str]:
    """Return the names of the fields that identify a memory: of unknown kinds all of them."""
    named = SUBJECT_FIELDS.get(kind)
    return {named} if named else set(content)


def thing(kind: str, content: Mapping[str, Any]) -> str:
    """Return the subject of a content, normalised for comparison."""
    return name_of(subject(kind, content))


def validated_content(kind: str, content: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a content with the defaults of its kind; None if the kind's schema refuses it.

    A kind that is not registered any more, of an operator who has removed it, takes everything.
    """
    model = _MODELS.get(kind)
    if model is None:
        return dict(content)
    try:
        return model.model_validate(dict(content)).model_dump(mode="json")
    except ValidationError:
        return None


def searchable_text(content: Mapping[str, Any]) -> str:
    """Return the text of a memory that is embedded: its values, without the field names."""
    return " ".join(str(v) for v in content.values() if isinstance(v, str) and v)


def level(kind: str, content: Mapping[str, Any]) -> Any:
    """Return the level, 0 to 100, or None if the kind or the content has none."""
    return content.get(LEVEL_FIELDS.get(kind, ""))


class _ExtractedKind(BaseModel):
    """The base of the kinds as the memory model sees them.

    trustcall asks each of them for its JSON schema in every run, and making one takes 0.6 ms.
    """

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the JSON schema; without arguments, the one that was made before."""
        if args or kwargs:
            return super().model_json_schema(*args, **kwargs)
        return _default_json_schema(cls)


@cache
def _default_json_schema(kind: type[_ExtractedKind]) -> dict[str, Any]:
    return super(_ExtractedKind, kind).model_json_schema()


def with_evidence(schema: type[BaseModel]) -> type[BaseModel]:
    """Return `schema` as the memory model sees it: with `evidence`, and without due dates."""
    fields: dict[str, Any] = {"evidence": (str, Field(..., description="Verbatim quote."))}
    if schema is Promise:
        unseen = Annotated[str | None, SkipJsonSchema()]
        fields |= dict.fromkeys(DUE_FIELDS, (unseen, None))
    bases = (schema, _ExtractedKind)
    return create_model(schema.__name__, __base__=bases, __doc__=schema.__doc__, **fields)


register_schemas(SCHEMAS)
