"""The form of a memory: its inputs, from the schema, and what is submitted with it."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, create_model

from bot.locale import LANGUAGES, Language, Localizer, say
from bot.people import PersonSettings
from bot.ui.acts import Place, SaveMemory, submitted_act
from bot.ui.blocks import OPTIONS_LIMIT, SlackView
from bot.ui.forms import (
    _HIDDEN,
    LINES_LIMIT,
    add_errors,
    add_form,
    added_lines,
    chosen_audience,
    edit_errors,
    edit_form,
    entered_content,
    fields_of,
    lines_of,
    read_settings_form,
    settings_form,
)
from bot.ui.lines import describe
from memory import SCHEMAS, Promise, UserFact, UserTechInterest
from memory.model import LEVEL_FIELDS
from memory.model.schemas import UserFoodPreference
from tests.unit.memories import Dog, memory

EN = Localizer("en")
Answers = dict[str, dict[str, dict[str, Any]]]


def form(
    schema: type[BaseModel],
    content: dict[str, Any],
    language: Language = "en",
    audience: str = "dm",
) -> SlackView:
    """Return the form of a memory with such a content."""
    one = memory(kind=schema.__name__, audience=audience, **content)
    return edit_form(Localizer(language), schema, one, Place())


def state(**values: Any) -> Answers:
    """Return ``view.state.values``: a text, or the value of an option."""
    return {
        (name if name in ("audience", "lines", "word") else f"field.{name}"): {
            "value": {"selected_option": {"value": value[0]}}
            if isinstance(value, tuple)
            else {"value": value}
        }
        for name, value in values.items()
    }


def submitted(schema: type[BaseModel], answers: Answers) -> SlackView:
    """Return a submitted form of a memory."""
    return {**form(schema, {"name": "x"}), "state": {"values": answers}}


KINDS: list[type[BaseModel]] = [*SCHEMAS, Dog]


def elements(view: SlackView) -> dict[str, dict[str, Any]]:
    """Return the inputs of a form, by block."""
    return {b["block_id"]: b["element"] for b in view["blocks"] if b["type"] == "input"}


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
@pytest.mark.parametrize("language", LANGUAGES)
def test_each_kind_has_a_form_in_each_language(
    schema: type[BaseModel], language: Language
) -> None:
    """Labels are in the person's language; what must be filled in comes first."""
    view = form(schema, {}, language)
    act = submitted_act(view)
    assert isinstance(act, SaveMemory)
    assert act.kind == schema.__name__
    inputs = [block for block in view["blocks"] if block["type"] == "input"]
    asked = [bool(block.get("optional")) for block in inputs[:-1]]
    assert asked == sorted(asked)
    for block in inputs:
        assert block["label"]["text"]
        assert language == "en" or not block["label"]["text"].isascii()
    for name in schema.model_fields:
        if (schema.__name__, name) not in _HIDDEN:
            assert say(language, f"field_{name}"), (
                "Both catalogues name each field of a kind."
            )


def test_a_form_holds_what_is_stored() -> None:
    """An edit begins with the present values, and asks for nothing that the memory lacks."""
    content = {"food_name": "ramen", "preference": 80, "description": "with\ntwo lines"}
    found = elements(form(UserFoodPreference, content))
    asked = ["food_name", "preference", "description"]
    assert list(found) == [*(f"field.{name}" for name in asked), "audience"]
    assert found["field.food_name"]["initial_value"] == "ramen"
    assert found["field.preference"]["initial_option"]["value"] == "80"
    assert found["field.description"]["multiline"] is True
    home = elements(form(UserFact, {"fact": "I live in Osaka", "topic": "home"}))
    assert list(home) == ["field.fact", "audience"]


@pytest.mark.parametrize(
    ("kind", "content", "says"),
    [
        (
            UserFoodPreference,
            {"food_name": "ramen", "preference": 97},
            "Likes ramen very much",
        ),
        (UserFoodPreference, {"food_name": "ramen", "preference": 61}, "Likes ramen"),
        (
            UserFoodPreference,
            {"food_name": "ramen", "preference": 40},
            "Thinks ramen is okay",
        ),
        (
            UserFoodPreference,
            {"food_name": "ramen", "preference": 1},
            "Doesn’t like ramen",
        ),
        (UserFoodPreference, {"food_name": "ramen"}, None),
        (
            UserTechInterest,
            {"topic": "AWS", "interest_level": 85},
            "Very interested in AWS",
        ),
        (UserTechInterest, {"topic": "AWS", "interest_level": 84}, "Interested in AWS"),
        (
            UserTechInterest,
            {"topic": "AWS", "interest_level": 15},
            "A little interested in AWS",
        ),
        (
            UserTechInterest,
            {"topic": "AWS", "interest_level": 14},
            "Hardly interested in AWS",
        ),
        (UserTechInterest, {"topic": "AWS", "interest_level": "x"}, None),
    ],
)
def test_a_level_is_chosen_among_the_sentences_of_the_list(
    kind: type[BaseModel], content: dict[str, Any], says: str | None
) -> None:
    """Each choice says what its score says in the list, and the stored one keeps its score."""
    name = LEVEL_FIELDS[kind.__name__]
    element = elements(form(kind, content))[f"field.{name}"]
    begun = element.get("initial_option")
    assert (begun and begun["text"]["text"]) == says
    assert begun is None or begun["value"] == str(content[name])
    assert len(element["options"]) == 4
    for one in element["options"]:
        chosen = {**content, name: int(one["value"])}
        assert describe(EN, kind.__name__, chosen) == one["text"]["text"]
        assert edit_errors(EN, submitted(kind, _entered(chosen)), kind) == {}


def _entered(content: dict[str, Any]) -> Answers:
    """Return a submission of a level and a subject."""
    return state(**{name: str(value) for name, value in content.items()})


@pytest.mark.parametrize(
    ("audience", "choices"),
    [
        ("dm", ["dm", "public"]),
        ("public", ["dm", "public"]),
        ("C1", ["dm", "public", "C1"]),
    ],
)
def test_a_form_begins_with_where_the_memory_is_used(
    audience: str, choices: list[str]
) -> None:
    """A third choice is the conversation in which it was said."""
    element = elements(form(UserFact, {"fact": "x"}, audience=audience))["audience"]
    assert [one["value"] for one in element["options"]] == choices
    assert element["initial_option"]["value"] == audience


def test_each_shape_of_field() -> None:
    """Texts, numbers and choices have their input; what has none is left as it is."""
    assert list(fields_of(Dog, {})) == ["name", "size", "temper", "age", "weight"]
    view = form(
        Dog,
        {"name": "Taro", "size": "large", "stars": 3, "tame": True, "toys": ["ball"]},
    )
    shapes = [one["type"] for one in elements(view).values()]
    text, select = "plain_text_input", "static_select"
    assert shapes == [text, select, select, text, text, select]
    assert elements(view)["field.size"]["initial_option"]["value"] == "large"
    codes: list[Any] = [f"C{number}" for number in range(OPTIONS_LIMIT + 1)]
    code = Field(json_schema_extra={"enum": codes})
    trip = create_model("Trip", to=(str, ...), code=Annotated[str, code])
    assert list(fields_of(trip, {"code": codes[-1]})) == ["to"]


@pytest.mark.parametrize(
    ("content", "age", "weight"),
    [
        ({"age": 7, "weight": 4.5}, "7", "4.5"),
        ({"age": 31, "weight": 1e300}, "31", "1e+300"),
        ({"weight": "heavy"}, None, "heavy"),
    ],
)
def test_a_number_is_typed(
    content: dict[str, Any], age: str | None, weight: str
) -> None:
    """The input begins with what is stored, also if the kind no longer takes it."""
    view = form(Dog, {"name": "Taro", **content})
    found = elements(view)
    assert found["field.age"].get("initial_value") == age
    assert found["field.weight"]["initial_value"] == weight
    hints = {block["block_id"]: block.get("hint") for block in view["blocks"]}
    assert hints["field.age"]["text"] == say("en", "form_range", low=0, high=30)
    assert hints["field.weight"] is None


@pytest.mark.parametrize(
    ("content", "due", "due_time"),
    [
        ({"due": "2099-11-27", "due_time": "10:00"}, "2099-11-27", "10:00"),
        ({"due": "2099-11-27", "due_time": "10:00:00"}, "2099-11-27", "10:00"),
        ({"due": "Friday", "due_time": "25:00"}, None, None),
    ],
)
def test_a_picker_begins_with_what_slack_takes(
    content: dict[str, Any], due: str | None, due_time: str | None
) -> None:
    """What another version of a kind stored may be no day or time."""
    found = elements(form(Promise, {"promise": "figures", **content}))
    assert found["field.due"].get("initial_date") == due
    assert found["field.due_time"].get("initial_time") == due_time


def test_what_was_entered_is_read() -> None:
    """A valid form brings its content; what was left empty is None."""
    answers = state(
        name=" Taro ", size=("large",), temper=("wild",), age="", audience=("public",)
    )
    view = submitted(Dog, answers)
    assert edit_errors(EN, view, Dog) == {}
    entered = {"name": "Taro", "size": "large", "temper": "wild", "age": None}
    assert entered_content(view, Dog) == entered
    assert chosen_audience(view) == "public"
    due = {"field.due": {"value": {"selected_date": "2099-11-27"}}}
    due |= {"field.due_time": {"value": {"selected_time": "10:00"}}}
    view = submitted(Promise, state(promise="figures") | due)
    assert edit_errors(EN, view, Promise) == {}
    entered = {"promise": "figures", "due": "2099-11-27", "due_time": "10:00"}
    assert entered_content(view, Promise) == entered


NO_NUMBER = say("en", "form_number")
TO_30 = say("en", "form_range", low=0, high=30)
TO_100 = say("en", "form_range", low=0, high=100)


@pytest.mark.parametrize(
    ("kind", "name", "typed", "sentence"),
    [
        (UserFoodPreference, "food_name", "", say("en", "form_missing")),
        (UserFoodPreference, "preference", "101", TO_100),
        (UserFoodPreference, "preference", "many", TO_100),
        (UserFoodPreference, "preference", "0", say("en", "form_invalid")),
        (
            UserFoodPreference,
            "food_name",
            "my password is hunter2hunter2",
            say("en", "refused_secret"),
        ),
        (Dog, "age", "nan", TO_30),
        (Dog, "age", "4.5", TO_30),
        (Dog, "weight", "heavy", NO_NUMBER),
        (Dog, "weight", "nan", NO_NUMBER),
        (Dog, "weight", "-inf", NO_NUMBER),
        (Dog, "weight", "1e999", NO_NUMBER),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    kind: type[BaseModel], name: str, typed: str, sentence: str
) -> None:
    """Each mistake is one sentence at the field that holds it, by the schema alone."""
    values = {"name": "nan", "food_name": "nan", name: typed}
    view = submitted(kind, state(**values))
    assert edit_errors(EN, view, kind) == {f"field.{name}": sentence}


def test_a_form_without_fields_changes_none() -> None:
    """What no input can hold is kept, and not read as empty; where it is used may change."""
    long = {"fact": "x" * 2_001}
    assert list(elements(form(UserFact, long))) == ["audience"]
    view = submitted(UserFact, state(audience=("public",)))
    assert entered_content(view, UserFact) == edit_errors(EN, view, UserFact) == {}
    assert chosen_audience(view) == "public"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("I live in Osaka", ["I live in Osaka"]),
        ("- ramen\r\n\n  * udon \n・soba\n", ["ramen", "udon", "soba"]),
        ("soba\n- soba\n\t", ["soba"]),
        (" \n-\n", []),
    ],
    ids=["one", "bullets", "twice", "nothing"],
)
def test_pasted_lines_are_read_without_bullets(text: str, lines: list[str]) -> None:
    """Empty lines are left out, and one that is there twice is read once."""
    assert lines_of(text) == lines


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", say("en", "form_missing")),
        ("\n".join(f"I like food {n}" for n in range(LINES_LIMIT)), ""),
        (
            "\n".join(f"I like food {n}" for n in range(LINES_LIMIT + 1)),
            say("en", "add_lines_hint", limit=LINES_LIMIT),
        ),
        ("x" * 2_001, say("en", "form_long", count=2_000)),
        (
            "tea\nmy password is hunter2hunter2",
            say("en", "refused_line", number=2, why=say("en", "refused_secret")),
        ),
    ],
    ids=["nothing", "most", "too many", "long", "secret"],
)
def test_lines_that_cannot_be_added_are_an_error_of_the_field(
    text: str, error: str
) -> None:
    """The form stays open with what was entered."""
    view = {**add_form(EN, Place()), "state": {"values": state(lines=text)}}
    assert add_errors(EN, view) == ({"lines": error} if error else {})
    assert added_lines(view) == lines_of(text)


@pytest.mark.parametrize(
    ("chosen", "most", "offered", "begun"),
    [
        (None, None, ["0", "30", "90", "180", "365"], "0"),
        (90, 180, ["0", "30", "90"], "90"),
        (365, 180, ["0", "30", "90"], "0"),
        (90, 7, ["0"], "0"),
    ],
)
def test_a_person_can_only_shorten_the_retention(
    chosen: int | None, most: int | None, offered: list[str], begun: str
) -> None:
    """The days of the installation are the upper limit of what a person chooses."""
    settings = PersonSettings(retention_days=chosen)
    form = settings_form(EN, settings, most, Place())
    retention = elements(form)["retention"]
    assert [one["value"] for one in retention["options"]] == offered
    assert retention["initial_option"]["value"] == begun
    values = {"retention": {"value": {"selected_option": {"value": begun}}}}
    read = read_settings_form({"state": {"values": values}})
    assert read["retention_days"] == (int(begun) or None)
