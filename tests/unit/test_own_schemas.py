"""An operator's own kinds of memory: what works, and what is refused at the start."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel, create_model

from memory import SCHEMAS, UserFact, load_schemas, memory_tools, subject
from memory.formation.tool_definitions import tool_definition
from memory.model.custom_schemas import checked_schemas
from memory.model.errors import InvalidSchemas
from memory.model.schemas import (
    UserInstruction,
    level,
    subject_fields,
    with_evidence,
)


class Project(BaseModel):
    """A project the person works on"""

    model_config = ConfigDict(
        json_schema_extra={"kioku": {"subject": "name", "level": "priority"}}
    )

    client: str
    name: str
    priority: int | None = Field(None, ge=0, le=100)


class Part(BaseModel):
    """A spare part"""

    name: str
    size: int | str | None = None
    weight: int | None = None


class Pet(BaseModel):
    """A pet"""

    age: int
    toys: list[str] = []
    nickname: str | None = None
    name: str


class Plan(BaseModel):
    """A plan; its texts are rules of a type inside another one"""

    kind_of_plan: Literal["trip", "work"] = "trip"
    what: Annotated[str, Field(max_length=99)] | None = None


class Named(RootModel[str]):
    """A name alone"""


class Dog(BaseModel):
    """A dog"""

    breed: str


class Cat(BaseModel):
    """A cat"""

    colour: str


class Household(BaseModel):
    """A household"""

    name: str
    pet: Cat | Dog


class Task(BaseModel):
    """A task"""

    parts: list[Task] = []
    name: str


@pytest.fixture
def models() -> Iterator[types.ModuleType]:
    """A module of an operator's, that can be imported while the test runs."""
    module = types.ModuleType("operators_models")
    module.Project = Project  # type: ignore[attr-defined]
    module.Pet = Pet  # type: ignore[attr-defined]
    module.number = 3  # type: ignore[attr-defined]
    sys.modules["operators_models"] = module
    yield module
    del sys.modules["operators_models"]


def test_all_built_in_kinds_unless_told() -> None:
    """Without a setting every built-in kind is used; bare names choose among them, in order."""
    assert load_schemas(None) == SCHEMAS
    assert load_schemas("UserInstruction, UserFact") == (UserInstruction, UserFact)


def test_own_kinds_say_what_they_are_about(models: types.ModuleType) -> None:
    """A declared field names the thing and says how much; else the first required text does."""
    assert load_schemas("operators_models:Project,UserFact,operators_models:Pet") == (
        Project,
        UserFact,
        Pet,
    )
    about = {"client": "Acme", "name": "Rewrite", "priority": 0}
    assert subject("Project", about) == "Rewrite"
    assert level("Project", about) == 0
    assert subject("Pet", {"age": 3, "nickname": "Ta", "name": "Taro"}) == "Taro"
    assert level("Pet", {"age": 3, "name": "Taro"}) is None
    assert subject_fields("Pet", {"toys": ["ball"], "name": "Taro"}) == {"name"}
    checked_schemas([Plan])
    assert subject_fields("Plan", {}) == {"what"}
    shown = with_evidence(Project)
    assert (shown.__name__, shown.__doc__) == (
        "Project",
        "A project the person works on",
    )
    assert list(shown.model_fields) == ["client", "name", "priority", "evidence"]
    assert "kioku" not in str(tool_definition(shown))


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        (" , ", "names no kind of memory"),
        ("UserFood", "none of UserTechInterest, UserFoodPreference"),
        ("no.such.module:Thing", "cannot be imported.*No module named"),
        (":Thing", "cannot be imported"),
        ("operators_models:Nothing", "cannot be imported"),
        ("operators_models:number", "cannot be imported"),
        ("UserFact,UserFact", "Two kinds of memory are called UserFact"),
        (
            "operators_models:Pet,operators_models:Pet",
            "Two kinds of memory are called Pet",
        ),
    ],
)
def test_names_that_lead_nowhere(
    models: types.ModuleType, setting: str, reason: str
) -> None:
    """A name that names no usable class is refused in one sentence that says why."""
    with pytest.raises(InvalidSchemas, match=reason) as refused:
        load_schemas(setting)
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


def model(name: str = "Thing", extra: Any = None, **fields: Any) -> type[BaseModel]:
    """Return a model made for one case."""
    made: Any = create_model(name, **fields)
    if extra is not None:
        made.model_config = ConfigDict(json_schema_extra={"kioku": extra})
    return made


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (model(kind=(str, ...)), "the field kind is Kioku's own"),
        (
            model(text=(str, ...), evidence=(str, ...)),
            "the field evidence is Kioku's own",
        ),
        (model(age=(int, ...)), "no text field to be found by"),
        (model(names=(list[str], ...)), "no text field to be found by"),
        (RootModel[str], "its name is taken or no tool can have it"),
        (Named, "no text field to be found by"),
        (model(text=(str, ...), run=(Callable[[], int], ...)), "no JSON schema"),
        (model(text=(str, Field(..., alias="t"))), "a field in it has an alias"),
        (
            model(text=(str, Field(..., serialization_alias="t"))),
            "a field in it has an alias",
        ),
        (
            model(text=(str, ...), inner=(model(t=(str, Field(..., alias="u"))), ...)),
            "a field in it has an alias",
        ),
        (model(text=(str, ...), tags=(set[str], ...)), "a field in it is a set"),
        (model("PatchDoc", text=(str, ...)), "its name is taken"),
        (
            model("Überblick", text=(str, ...)),
            "its name is taken or no tool can have it",
        ),
        (model("UserFact", text=(str, ...)), "Two kinds of memory are called UserFact"),
        (model(text=(str, ...), extra={"level": "much"}), "declares level as much"),
        (model(text=(str, ...), extra={"topic": "text"}), "declares topic as text"),
        (model(text=(str, ...), extra={"level": "text"}), "declares level as text"),
        (
            model(text=(str, ...), year=(int, ...), extra={"subject": "year"}),
            "declares subject as year",
        ),
    ],
)
def test_models_that_cannot_work(schema: type[BaseModel], reason: str) -> None:
    """A model that LangMem, the tools or the store could not use is refused with the reason."""
    with pytest.raises(InvalidSchemas, match=reason) as refused:
        checked_schemas([schema])
    assert str(refused.value).endswith(".")


def test_own_kinds_are_described_to_the_memory_model() -> None:
    """Its tool has the name of an own kind and its docstring, besides the quote."""
    function = tool_definition(with_evidence(Project))["function"]
    assert (function["name"], function["description"]) == ("Project", Project.__doc__)
    assert "evidence" in function["parameters"]["required"]


def test_a_field_of_several_types_is_described_by_none_of_them() -> None:
    """The model that replies may write each of them, so it is not told one alone."""
    _, change = memory_tools((Part,))
    described = change["parameters"]["properties"]["content"]["description"]
    assert described.endswith("Part(name, size?, weight? integer) A spare part")


def test_a_kind_that_holds_others_of_itself_is_described() -> None:
    """Its fields are found, though its JSON schema is a reference."""
    checked_schemas([Task])
    _, change = memory_tools((Task,))
    described = change["parameters"]["properties"]["content"]["description"]
    assert described.endswith("Task(parts? array, name) A task")


def test_each_object_that_a_field_may_hold_is_described() -> None:
    """A model that reads of cats alone never fills in a dog."""
    function = tool_definition(with_evidence(Household))["function"]
    options = function["parameters"]["properties"]["pet"]["anyOf"]
    assert [list(one["properties"]) for one in options] == [["colour"], ["breed"]]
