"""Forms made from schemas, and what they are submitted with."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from bot.ui.adding import LINES_LIMIT, add_errors, add_form, lines_of
from bot.ui.form_fields import MAX_FIELDS, fields_of
from bot.ui.views import language_of_view, metadata_of
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from bot.locale import LANGUAGES, Language, say
from bot.slack.payloads import UNREADABLE
from bot.ui.forms import memory_form, read_form
from memory import SCHEMAS, UserFact, checked_schemas
from memory.model.schemas import UserFoodPreference
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
    view = memory_form(language, schema, {}, reference="dm/key")
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
    """An edit begins with the present values, and asks for nothing that the memory lacks."""
    content = {"food_name": "ramen", "preference": 80, "description": "with\ntwo lines"}
    view = memory_form("en", UserFoodPreference, content, reference="dm/key")
    elements = {b["block_id"]: b["element"] for b in view["blocks"]}
    assert list(elements) == ["field.food_name", "field.preference", "field.description"]
    assert elements["field.food_name"]["initial_value"] == "ramen"
    assert elements["field.description"]["multiline"] is True
    assert metadata_of(view)["memory"] == "dm/key"
    home = {"fact": "I live in Osaka", "topic": "home"}
    [block] = memory_form("en", UserFact, home, reference="dm/key")["blocks"]
    assert block["element"]["initial_value"] == "I live in Osaka"


@pytest.mark.parametrize(
    ("level", "values", "step"),
    [
        (None, ["20", "75", "95"], None),
        (5, ["5", "75", "95"], "step_disliked"),
        (39, ["39", "75", "95"], "step_disliked"),
        (40, ["20", "40", "95"], "step_liked"),
        (89, ["20", "89", "95"], "step_liked"),
        (90, ["20", "75", "90"], "step_loved"),
        (100, ["20", "75", "100"], "step_loved"),
    ],
)
def test_an_untouched_level_stays_as_it_was(
    level: int | None, values: list[str], step: str | None
) -> None:
    """Of three steps, the one that the memory is on is chosen and stores its exact level."""
    content = {"food_name": "ramen", "preference": level}
    element = memory_form("en", UserFoodPreference, content, reference="dm/key")["blocks"][1][
        "element"
    ]
    assert [one["value"] for one in element["options"]] == values
    chosen = element.get("initial_option")
    assert (chosen and chosen["text"]["text"]) == (step and say("en", step))
    submitted = state(food_name="ramen", preference=(chosen["value"],) if chosen else ("75",))
    read = read_form("en", UserFoodPreference, submitted)
    assert read.errors == {}
    assert read.content["preference"] == str(level or 75)


class Project(BaseModel):
    """An operator's own kind with a level."""

    model_config = ConfigDict(json_schema_extra={"kioku": {"subject": "name", "level": "share"}})

    name: str
    share: int | None = Field(None, ge=0, le=100, description="0 when they have left it")
    client: str | None = None


def test_a_declared_level_is_three_steps() -> None:
    """The level of an operator's own kind is chosen in words; its other fields are all there."""
    checked_schemas([Project])
    blocks = memory_form("en", Project, {"name": "Rocket", "share": 50}, reference="dm/key")[
        "blocks"
    ]
    assert [block["label"]["text"] for block in blocks] == ["Name", "Share", "Client"]
    assert blocks[1]["element"]["initial_option"]["value"] == "50"
    assert blocks[1]["element"]["initial_option"]["text"]["text"] == say("en", "step_quite")


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
    view = memory_form(
        "ja", Pet, {"name": "Taro", "size": "large", "tame": True}, reference="dm/key"
    )
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
            {"food_name": "x", "preference": ("101",)},
            {"field.preference": say("en", "form_range", low=0, high=100)},
        ),
        (
            {"food_name": "x", "preference": ("many",)},
            {"field.preference": say("en", "form_number")},
        ),
        ({"food_name": "x", "preference": ("0",)}, {"field.preference": say("en", "form_ended")}),
        (
            {"food_name": "my password is hunter2hunter2"},
            {"field.food_name": say("en", "form_secret", what="a password")},
        ),
    ],
    ids=["missing", "range", "number", "ended", "secret"],
)
def test_what_is_wrong_is_said_at_its_field(values: dict[str, Any], errors: dict[str, str]) -> None:
    """Each mistake is one sentence at the field that holds it, by the schema alone."""
    assert read_form("en", UserFoodPreference, state(**values)).errors == errors


def test_a_form_without_its_fields_is_malformed() -> None:
    """Every form has a field, so a submission without one is not read as an empty memory."""
    with pytest.raises(UNREADABLE):
        read_form("en", UserFoodPreference, {})


@given(
    st.sampled_from(LANGUAGES),
    st.dictionaries(
        st.sampled_from(["name", "story", "size", "age", "toys", "tame"]),
        st.one_of(st.text(max_size=3_500), st.integers(), st.none(), st.lists(st.text())),
    ),
)
def test_every_stored_content_has_a_form(language: Language, content: dict[str, Any]) -> None:
    """Whatever is stored, by whatever version, the form opens and fits."""
    assert view_errors(memory_form(language, Pet, content, reference="dm/key")) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_form_that_adds_has_one_field_of_lines(language: Language) -> None:
    """Slack takes it, and it says how many lines it takes."""
    view = add_form(language)
    assert view_errors(view) == []
    [block] = view["blocks"]
    assert block["element"]["multiline"] is True
    assert str(LINES_LIMIT) in block["hint"]["text"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("I live in Osaka", ["I live in Osaka"]),
        ("- ramen\r\n\n  * udon \n• soba\n", ["ramen", "udon", "soba"]),
        ("soba\n- soba\n\t", ["soba"]),
        (" \n-\n", []),
    ],
    ids=["one", "bullets", "twice", "nothing"],
)
def test_pasted_lines_are_read_without_bullets(text: str, lines: list[str]) -> None:
    """Empty lines are left out, and one that is there twice is read once."""
    assert lines_of(text) == lines


@pytest.mark.parametrize(("count", "key"), [(0, "form_missing"), (50, ""), (51, "add_too_many")])
def test_too_many_lines_are_an_error_of_the_field(count: int, key: str) -> None:
    """The form stays open with what was entered."""
    lines = "\n".join(f"I like food {number}" for number in range(count))
    view = {**add_form("en"), "state": {"values": {"add.lines": {"value": {"value": lines}}}}}
    errors = add_errors(view)
    assert errors == ({"add.lines": say("en", key, limit=LINES_LIMIT)} if key else {})
