"""Forms made from schemas, and what they are submitted with."""

from __future__ import annotations

import json
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from bot.locale import LANGUAGES, Language, say
from bot.views.forms import MAX_FIELDS, fields_of, kind_name, memory_form, read_form
from bot.views.views import language_of_view, metadata_of
from memory import SCHEMAS, UserFact, UserFoodPreference
from playground.blocks import view_errors


class Size(Enum):
    """A size."""

    SMALL = "small"
    LARGE = "large"


class Pet(BaseModel):
    """An operator's own kind, with one field of each shape."""

    name: str = Field(description="What it is called")
    size: Size | None = None
    temper: Literal["calm", "wild"] | None = None
    age: Annotated[int, Field(ge=0, le=30)] | None = None
    weight: float | None = None
    tame: bool | None = None
    toys: list[str] | None = None
    story: str | None = Field(None, json_schema_extra={"multiline": True})
    visits: list[dict[str, str]] | None = None


def state(**values: Any) -> dict[str, dict[str, dict[str, Any]]]:
    """Return ``view.state.values``: a text, or the value of an option."""
    return {
        f"field.{name}": {
            "value": {"selected_option": {"value": value[0]}}
            if isinstance(value, tuple)
            else {"value": value}
        }
        for name, value in values.items()
    }


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
@pytest.mark.parametrize("language", LANGUAGES)
def test_each_kind_has_a_form_in_each_language(schema: type[BaseModel], language: Language) -> None:
    """Slack takes the form of every kind; its labels are in the person's language."""
    view = memory_form(language, schema, {}, kinds=SCHEMAS)
    assert view_errors(view) == []
    inputs = [block for block in view["blocks"] if block["type"] == "input"]
    assert 1 <= len(inputs) <= MAX_FIELDS
    assert language_of_view(view) == language
    assert metadata_of(view)["kind"] == schema.__name__
    for block in inputs:
        assert block["label"]["text"]
        if language == "ja":
            assert not block["label"]["text"].isascii()


def test_a_form_holds_what_is_stored() -> None:
    """An edit begins with the present values; a number has its bounds."""
    content = {"food_name": "ramen", "preference": 80, "description": "with\ntwo lines"}
    view = memory_form("en", UserFoodPreference, content, reference="dm/key")
    elements = {b["block_id"]: b["element"] for b in view["blocks"]}
    assert elements["field.food_name"]["initial_value"] == "ramen"
    assert elements["field.preference"]["initial_value"] == "80"
    assert elements["field.preference"]["min_value"] == "0"
    assert elements["field.preference"]["max_value"] == "100"
    assert elements["field.description"]["multiline"] is True
    assert "initial_value" not in elements["field.cuisine"]
    assert metadata_of(view)["memory"] == "dm/key"


def test_each_shape_of_field() -> None:
    """Texts, numbers, choices, truths and lists each have their input; what has none is left."""
    shapes = {field.name: field.input_type for field in fields_of(Pet, {})}
    assert len(shapes) == MAX_FIELDS
    assert next(iter(shapes)) == "name"
    assert shapes == {
        "name": "text",
        "size": "choice",
        "temper": "choice",
        "age": "number",
        "weight": "decimal",
        "tame": "truth",
    }
    view = memory_form("ja", Pet, {"name": "Taro", "size": "large", "tame": True})
    assert view_errors(view) == []
    chosen = {
        b["block_id"]: b["element"]["initial_option"]["value"]
        for b in view["blocks"]
        if "initial_option" in b["element"]
    }
    assert chosen == {"field.size": "large", "field.tame": "True"}
    assert view["blocks"][0]["hint"]["text"] == "What it is called"


def test_what_was_entered_is_read() -> None:
    """A valid form brings its content; what was left empty is None."""
    given_in = state(
        name=" Taro ", size=("large",), temper=("wild",), age="7", weight="1.5", tame=("False",)
    )
    read = read_form("en", Pet, given_in)
    assert read.errors == {}
    assert read.content == {
        "name": "Taro",
        "size": "large",
        "temper": "wild",
        "age": "7",
        "weight": "1.5",
        "tame": False,
    }
    assert read_form("en", UserFact, state(fact="x", topic="")).content["topic"] is None


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        ({"food_name": ""}, {"field.food_name": say("en", "form_missing")}),
        (
            {"food_name": "x", "preference": "101"},
            {"field.preference": say("en", "form_range", low=0, high=100)},
        ),
        ({"food_name": "x", "preference": "many"}, {"field.preference": say("en", "form_number")}),
        ({"food_name": "x", "preference": "0"}, {"field.preference": say("en", "form_ended")}),
        (
            {"food_name": "my password is hunter2hunter2"},
            {"field.food_name": say("en", "form_secret", what="a password")},
        ),
    ],
    ids=["missing", "range", "number", "ended", "secret"],
)
def test_what_is_wrong_is_said_at_its_field(values: dict[str, str], errors: dict[str, str]) -> None:
    """Each mistake is one sentence at the field that holds it, by the schema alone."""
    assert read_form("en", UserFoodPreference, state(**values)).errors == errors


@given(
    st.sampled_from(LANGUAGES),
    st.dictionaries(
        st.sampled_from(["name", "story", "size", "age", "toys", "tame"]),
        st.one_of(st.text(max_size=3_500), st.integers(), st.none(), st.lists(st.text())),
    ),
)
def test_every_stored_content_has_a_form(language: Language, content: dict[str, Any]) -> None:
    """Whatever is stored, by whatever version, the form opens and fits."""
    assert view_errors(memory_form(language, Pet, content)) == []


def test_names_of_kinds() -> None:
    """Our kinds have a name in each language, an operator's own the words of its class."""
    assert kind_name("en", UserFoodPreference) == say("en", "kind_food")
    assert kind_name("ja", type("HomeTown", (BaseModel,), {})) == "Home Town"
    assert json.dumps(memory_form("en", UserFact, {}, kinds=[UserFact]))
