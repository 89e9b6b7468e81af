"""The forms: what they begin with, and what is submitted with them."""

from __future__ import annotations

from typing import Any

import pytest

from bot.acts.blocks import SlackView
from bot.acts.kinds import Place, SaveMemory, submitted_act
from bot.locale import LANGUAGES, Language, Localizer, say
from bot.panel.forms import (
    LINES_LIMIT,
    add_errors,
    add_form,
    added_lines,
    edit_errors,
    edit_form,
    entered_sentence,
    lines_of,
    read_settings_form,
    settings_form,
)
from bot.people import PersonSettings
from bot.promises.forms import entered_due
from tests.unit.memories import memory

EN = Localizer("en")
Answers = dict[str, dict[str, dict[str, Any]]]
PROMISED = {"promise": "figures", "due": "2099-11-27", "due_time": "10:00"}


def state(**values: Any) -> Answers:
    """Return ``view.state.values`` of typed texts."""
    return {name: {"value": {"value": value}} for name, value in values.items()}


def picked(due: str, due_time: str) -> Answers:
    """Return the same of pickers."""
    return {
        "due": {"value": {"selected_date": due}},
        "due_time": {"value": {"selected_time": due_time}},
    }


def submitted(content: dict[str, Any], answers: Answers) -> SlackView:
    """Return a submitted form of a promise."""
    one = memory(kind="Promise", **content)
    return {**edit_form(EN, one, Place()), "state": {"values": answers}}


def elements(view: SlackView) -> dict[str, dict[str, Any]]:
    """Return the inputs of a form, by block."""
    return {b["block_id"]: b["element"] for b in view["blocks"] if b["type"] == "input"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("audience", ["dm", "public", "C1"])
def test_the_form_of_a_memory_is_its_sentence_and_where_it_is_used(
    language: Language, audience: str
) -> None:
    """It begins with what the memory says, if its sentence is gone."""
    one = memory(food_name="ramen", preference=80, audience=audience)
    view = edit_form(Localizer(language), one, Place())
    assert isinstance(submitted_act(view), SaveMemory)
    assert list(elements(view)) == ["sentence"]
    assert "ramen" in elements(view)["sentence"]["initial_value"]
    where = view["blocks"][1]["elements"][0]["text"]
    assert where
    assert (audience in where) == (audience == "C1")


@pytest.mark.parametrize(
    ("content", "due", "due_time"),
    [
        (PROMISED, "2099-11-27", "10:00"),
        ({"due": "2099-11-27", "due_time": "10:00:00"}, "2099-11-27", "10:00"),
        ({"due": "Friday", "due_time": "25:00"}, None, None),
    ],
)
def test_a_picker_begins_with_what_slack_takes(
    content: dict[str, Any], due: str | None, due_time: str | None
) -> None:
    """What another version of a kind stored may be no day or time."""
    one = memory(kind="Promise", **{"promise": "figures", **content})
    found = elements(edit_form(EN, one, Place()))
    assert found["due"].get("initial_date") == due
    assert found["due_time"].get("initial_time") == due_time


def test_what_was_entered_is_read() -> None:
    """What was left empty is None; a memory that is no promise has no day."""
    view = submitted(
        PROMISED, state(sentence=" the figures ") | picked("2099-01-02", "")
    )
    assert edit_errors(EN, view) == {}
    assert entered_sentence(view) == "the figures"
    assert entered_due(view) == {"due": "2099-01-02", "due_time": None}
    view = submitted(PROMISED, state(sentence="x"))
    assert (edit_errors(EN, view), entered_due(view)) == ({}, {})


@pytest.mark.parametrize(
    ("answers", "errors"),
    [
        (state(sentence=""), {"sentence": say("en", "form_missing")}),
        (
            state(sentence="my password is hunter2hunter2"),
            {"sentence": say("en", "refused_secret")},
        ),
        (
            state(sentence="x" * 2_001),
            {"sentence": say("en", "form_long", count=2_000)},
        ),
        (
            state(sentence="x") | picked("", "10:00"),
            {"due": say("en", "form_missing")},
        ),
        (
            state(sentence="x") | picked("2020-01-01", ""),
            {"due": say("en", "form_past")},
        ),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    answers: Answers, errors: dict[str, str]
) -> None:
    """The form stays open with what was entered."""
    assert edit_errors(EN, submitted(PROMISED, answers)) == errors


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
