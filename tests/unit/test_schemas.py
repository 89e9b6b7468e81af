"""What can be remembered."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from memory import SCHEMAS, UserFact, subject
from memory.model.schemas import (
    LEVEL_FIELDS,
    SUBJECT_FIELDS,
    Episode,
    UserFoodPreference,
    UserInstruction,
    UserTechInterest,
    level,
    searchable_text,
    with_evidence,
)


def test_names_of_stored_fields_stay() -> None:
    """Stored memories have these fields, in the order in which a model is shown them."""
    tech = ["topic", "category", "interest_level", "description"]
    food = ["food_name", "cuisine", "preference", "description"]
    assert list(UserTechInterest.model_fields) == tech
    assert list(UserFoodPreference.model_fields) == food
    assert list(UserInstruction.model_fields) == ["instruction"]
    assert list(Episode.model_fields) == ["observation", "action", "result"]


def test_a_fact_has_no_level() -> None:
    """What is neither a taste nor an interest is a sentence, and says nothing of how much."""
    fact = UserFact(fact="I live in Osaka", topic=None).model_dump()
    assert level("UserFact", fact) is None
    assert subject("UserFact", fact) == "I live in Osaka"
    assert searchable_text(fact) == "I live in Osaka"
    with pytest.raises(ValidationError):
        UserFact.model_validate({"topic": "home"})


@pytest.mark.parametrize("schema", [UserTechInterest, UserFoodPreference])
def test_levels_run_from_0_to_100(schema: type[BaseModel]) -> None:
    """A level outside 0 to 100 is refused; both ends and none are accepted."""
    name, what = LEVEL_FIELDS[schema.__name__], SUBJECT_FIELDS[schema.__name__]
    for good in (0, 100, None):
        assert schema.model_validate({what: "x", name: good}).model_dump()[name] == good
    for bad in (-1, 101):
        with pytest.raises(ValidationError):
            schema.model_validate({what: "x", name: bad})
    with pytest.raises(ValidationError):
        schema.model_validate({name: 50})


@pytest.mark.parametrize("schema", [UserTechInterest, UserFoodPreference])
def test_the_model_is_not_told_to_write_level_0(schema: type[BaseModel]) -> None:
    """A dislike has a low level: at 0 nothing is stored."""
    description = schema.model_fields[LEVEL_FIELDS[schema.__name__]].description
    assert description is not None
    assert [one for one in description.split() if one.isdigit()] == ["1", "100"]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_model_must_quote(schema: type[BaseModel]) -> None:
    """As the model sees it a schema keeps its name and fields, and demands a quote."""
    shown = with_evidence(schema)
    assert shown.__name__ == schema.__name__
    assert shown.__doc__ == schema.__doc__
    assert list(shown.model_fields) == [*schema.model_fields, "evidence"]
    with pytest.raises(ValidationError):
        shown.model_validate({SUBJECT_FIELDS[schema.__name__]: "x"})


@pytest.mark.parametrize(
    ("kind", "content", "what"),
    [
        ("UserTechInterest", {"topic": "AWS", "category": "cloud"}, "AWS"),
        ("UserFoodPreference", {"cuisine": "和食", "food_name": "寿司"}, "寿司"),
        ("UserFoodPreference", {"food_name": "", "cuisine": "和食"}, "和食"),
        ("UserFoodPreference", {"food_name": 3, "description": "x"}, "x"),
        ("Dog", {"age": 3, "name": "Taro"}, "Taro"),
        ("Episode", {"action": "a", "observation": "o"}, "o"),
        ("Dog", {"age": 3}, ""),
        ("Dog", {}, ""),
    ],
)
def test_the_subject_of_a_memory_is_named(
    kind: str, content: dict[str, Any], what: str
) -> None:
    """The subject is the naming field's text, else the first text there is."""
    assert subject(kind, content) == what


def test_values_are_what_is_embedded() -> None:
    """The embedded text is all texts, also in lists, without names of fields or numbers."""
    content = {
        "food_name": "寿司",
        "cuisine": None,
        "preference": 90,
        "description": "まぐろ",
        "places": ["築地", {"shop": "大和", "floor": 1}, ""],
    }
    assert searchable_text(content) == "寿司 まぐろ 築地 大和"


def test_level_of_unknown_kinds_is_unknown() -> None:
    """The level is read from the kind's own field; kinds without one have none."""
    assert level("UserFoodPreference", {"preference": 0}) == 0
    assert level("UserTechInterest", {"preference": 0}) is None
    assert level("Dog", {"preference": 0}) is None
