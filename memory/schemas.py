"""What can be remembered: Pydantic models, field for field those of the two articles, and facts.

Origin, both by noboru-kudo: ``UserTechInterest`` from
"LangMemの長期記憶をPostgreSQL(pgvector)に永続化する" (2025-03-12),
``UserFoodPreference`` from "LangMemの長期記憶の概要と使い方を理解する" (2025-02-26).
``UserFact`` is ours: an allergy or a home town has no field there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field, create_model

Score = Annotated[int, Field(ge=0, le=100)]


class UserTechInterest(BaseModel):
    """ユーザーの技術に関する関心情報"""

    topic: str = Field(
        ..., description="技術トピック（例：プログラミング言語、クラウドサービスなど）"
    )
    category: str | None = Field(
        None, description="技術の分野（例：フロントエンド、バックエンド、ネットワークなど）"
    )
    interest_level: Score | None = Field(None, description="関心度（0～100のスコアで表現）")
    description: str | None = Field(None, description="その他の補足説明（具体例や詳細な知識など）")


class UserFoodPreference(BaseModel):
    """ユーザーの食の好みの詳細情報"""

    food_name: str = Field(..., description="料理名")
    cuisine: str | None = Field(None, description="料理のタイプ（和食、洋食、中華など）")
    preference: Score | None = Field(None, description="好きの度合い（0～100のスコアで表現）")
    description: str | None = Field(
        None, description="その他の補足説明（例えば、特定の味付けや具材など）"
    )


class UserFact(BaseModel):
    """ユーザー本人についてのその他の事実（アレルギー、住まい、仕事、予定など）"""

    fact: str = Field(
        ...,
        description="本人が述べた事実を一文で（例：ピーナッツアレルギーがある、大阪に住んでいる）",
    )
    topic: str | None = Field(None, description="何についての事実か（例：健康、住まい、仕事）")


SCHEMAS: tuple[type[BaseModel], ...] = (UserTechInterest, UserFoodPreference, UserFact)

# The field of each kind that says how much; at 0 the memory has ended and is removed.
LEVEL_FIELDS: Mapping[str, str] = {
    "UserTechInterest": "interest_level",
    "UserFoodPreference": "preference",
}
# The field of each kind that names what it is about.
SUBJECT_FIELDS: Mapping[str, str] = {
    "UserTechInterest": "topic",
    "UserFoodPreference": "food_name",
    "UserFact": "fact",
}


def subject(kind: str, content: Mapping[str, Any]) -> str:
    """Return what a memory is about, in the person's words; the first text for unknown kinds."""
    named = content.get(SUBJECT_FIELDS.get(kind, ""))
    if isinstance(named, str) and named:
        return named
    return next((v for v in content.values() if isinstance(v, str) and v), "")


def searchable_text(content: Mapping[str, Any]) -> str:
    """Return the text of a memory that is embedded: its values, without the field names."""
    return " ".join(str(v) for v in content.values() if isinstance(v, str) and v)


def level(kind: str, content: Mapping[str, Any]) -> Any:
    """Return how much the person cares, 0 to 100, or None where nothing says so."""
    return content.get(LEVEL_FIELDS.get(kind, ""))


def with_evidence(schema: type[BaseModel]) -> type[BaseModel]:
    """Return `schema` as the memory model sees it: same name, with a required `evidence` text."""
    return create_model(
        schema.__name__,
        __base__=schema,
        __doc__=schema.__doc__,
        evidence=(
            str,
            Field(
                ...,
                description=(
                    "Verbatim quote of the person's own words in this session that say so:"
                    " a whole clause, a whole sentence or the whole message, copied character"
                    " by character, never translated, shortened or put together."
                ),
            ),
        ),
    )
