"""The cases of `python -m evals` are well-formed, and their results are scored as described."""

from __future__ import annotations

import tomllib
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from bot.runtime.startup import StartError
from evals.cases import Case, Category, chosen_cases, load_cases
from evals.report import Prices, Report, Result, Usage, UsageCounter
from evals.scoring import Outcome, Score, Stored, last_days, score
from memory import validated
from tests.conftest import ROOT

CASES = load_cases(ROOT / "evals")
LANGUAGES = ("de", "en", "es", "fr", "ja", "ko", "pt", "zh")
FRIDAY = date(2026, 11, 20)
HOME = Stored(key="h", kind="UserFact", content={"fact": "Lives in Manchester", "topic": None})


def case(category: str, **fields: Any) -> Case:
    """Return a case with a memory called home, if `existing` says so."""
    return Case.model_validate(
        {"id": "en-01", "class": category, "about": "a test", "messages": ["…"], **fields}
    )


def at_home(category: str, **fields: Any) -> Case:
    """Return a case in which `HOME` is known."""
    known = {"name": "home", "kind": "UserFact", "content": {"fact": "Lives in Manchester"}}
    return case(category, existing=[known], **fields)


def scored(given: Case, *after: Stored, asked: tuple[Stored, ...] = ()) -> Score:
    """Score what is there afterwards, on a Friday."""
    before = {"home": HOME} if given.existing else {}
    return score(given, Outcome(said_on=FRIDAY, before=before, after=after, asked=asked))


def fact(text: str, key: str = "n", until: date | None = None) -> Stored:
    """Return a stored fact."""
    return Stored(key=key, kind="UserFact", content={"fact": text}, until=until)


def food(name: str, preference: int | None, key: str = "n") -> Stored:
    """Return a stored preference."""
    content = {"food_name": name, "preference": preference}
    return Stored(key=key, kind="UserFoodPreference", content=content)


def test_there_are_enough_cases_of_every_class_in_every_language() -> None:
    """At least 170 cases, 20 a language, all five classes in each, about a third held out."""
    languages = Counter(one.language for one in CASES)
    assert tuple(sorted(languages)) == LANGUAGES
    assert len(CASES) >= 170
    assert min(languages.values()) >= 20
    for language in LANGUAGES:
        own = [one for one in CASES if one.language == language]
        assert {one.category for one in own} == {*get_args(Category)}, language
        assert 0.25 <= sum(one.held_out for one in own) / len(own) <= 0.42, language
    for category in get_args(Category):
        held = {one.held_out for one in CASES if one.category == category}
        assert held == {True, False}, category


def test_every_case_can_be_run() -> None:
    """Ids are unique, existing memories are valid, no message is said twice."""
    assert len({one.id for one in CASES}) == len(CASES)
    said = Counter(message for one in CASES for message in one.messages)
    assert [message for message, times in said.items() if times > 1] == []
    for one in CASES:
        for known in one.existing:
            assert validated(known.kind, known.content), one.id


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"class": "kept"}, "nothing is expected"),
        ({"keep": [{"says": ["x"]}]}, "not_kept expects nothing"),
        ({"class": "kept", "keep": [{}]}, "keep and ask need"),
        ({"class": "changed", "change": [{"says": ["x"]}]}, "name an existing memory"),
        ({"class": "taken_back", "remove": ["home"]}, "none of the existing"),
        ({"class": "until", "keep": [{"says": ["x"], "until": "soon"}]}, "until cannot be soon"),
        ({"zone": "Mars/Base"}, "no time zone"),
        ({"messages": []}, "at least 1"),
        ({"mistake": 1}, "Extra inputs"),
        ({"id": "fr-01"}, "must begin with en-"),
        ({"id": "en-1"}, "pattern"),
    ],
)
def test_a_case_with_a_mistake_is_refused(
    fields: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    """The sentence names the file, the number of the case and what is wrong."""
    whole = {"id": "en-01", "class": "not_kept", "about": "a test", "messages": ["Hi"], **fields}
    lines = [f"{name} = {_toml(value)}" for name, value in whole.items()]
    (tmp_path / "en.toml").write_text("\n".join(["[[case]]", *lines]), "utf-8")
    with pytest.raises(StartError, match=f"en.toml, case 1: .*{reason}"):
        load_cases(tmp_path)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def test_files_with_a_mistake_are_refused(tmp_path: Path) -> None:
    """No files, no TOML, two cases of one id: one sentence each."""
    with pytest.raises(StartError, match="There are no cases in"):
        load_cases(tmp_path)
    (tmp_path / "en.toml").write_text("case = ")
    with pytest.raises(StartError, match="cannot be read as TOML"):
        load_cases(tmp_path)
    one = '[[case]]\nid = "en-01"\nclass = "not_kept"\nabout = "a test"\nmessages = ["Hi"]\n'
    assert tomllib.loads(one)
    (tmp_path / "en.toml").write_text(one * 2)
    with pytest.raises(StartError, match="Two cases have one id: en-01"):
        load_cases(tmp_path)


def test_languages_and_the_held_out_part_are_chosen() -> None:
    """The two parts make up the whole; a language without cases is refused."""
    only = chosen_cases(CASES, languages=["ja"], held_out="only")
    without = chosen_cases(CASES, languages=["ja"], held_out="without")
    assert {one.language for one in only + without} == {"ja"}
    assert all(one.held_out for one in only)
    assert not any(one.held_out for one in without)
    every = chosen_cases(CASES, languages=["ja"], held_out=None)
    assert len(only) + len(without) == len(every)
    with pytest.raises(StartError, match="There are no cases in xx, only in de, en"):
        chosen_cases(CASES, languages=["xx"], held_out=None)


def test_what_is_kept_must_say_it_in_the_right_kind_and_range() -> None:
    """A reversed liking, another kind or other words are a miss and a wrong memory at once."""
    ramen = {"kind": "UserFoodPreference", "says": ["ramen|ラーメン"], "level": [60, 100]}
    liked = case("kept", keep=[ramen])
    assert scored(liked, food("Ramen", 80)) == Score(found=1)
    assert scored(liked, food("ﾗｰﾒﾝ", None)) == Score(found=1)
    for other in (food("ramen", 20), food("udon", 80), fact("likes ramen")):
        result = scored(liked, other)
        assert (result.found, len(result.missed), len(result.wrong)) == (0, 1, 1)
    nothing = scored(liked)
    assert (nothing.missed, nothing.wrong) == (("kept: ramen|ラーメン",), ())
    assert not nothing.passed


def test_each_memory_stands_for_one_expected_thing() -> None:
    """One memory does not count twice; the same thing said twice is no error."""
    two = case("kept", keep=[{"says": ["Rex"]}, {"says": ["dog"]}])
    assert scored(two, fact("The dog is called Rex")).found == 1
    assert scored(two, fact("Has a dog", "a"), fact("Rex is the dog", "b")) == Score(found=2)
    one = case("kept", keep=[{"says": ["Rex"]}])
    assert scored(one, fact("Rex", "a"), fact("A dog, Rex", "b")) == Score(found=1)


def test_nothing_kept_means_nothing_but_what_is_allowed() -> None:
    """What is remembered besides is wrong, unless the case allows it."""
    assert scored(case("not_kept")) == Score(found=0)
    result = scored(case("not_kept"), fact("Is 40"))
    assert result.wrong == ('remembered UserFact {"fact": "Is 40"}',)
    allowing = case("not_kept", allow=[{"says": ["40"]}])
    assert scored(allowing, fact("Is 40")).passed
    again = at_home("not_kept", allow=[{"name": "home", "says": ["Manchester"]}])
    assert scored(again, fact("Lives in Manchester now", "h")).passed
    assert not scored(again, fact("Lives in Leeds", "h")).passed


def test_a_change_is_a_patch_or_a_successor() -> None:
    """The memory says the new thing, or is gone with another one in its place."""
    moved = at_home("changed", change=[{"name": "home", "says": ["Bristol"]}])
    assert scored(moved, fact("Lives in Bristol", "h")) == Score(found=1)
    assert scored(moved, fact("Lives in Bristol", "n")) == Score(found=1)
    assert scored(moved, HOME).missed == ("changed: home, Bristol",)
    both = scored(moved, HOME, fact("Lives in Bristol"))
    assert (both.found, len(both.missed), both.wrong) == (0, 1, ())
    elsewhere = scored(moved, fact("Lives in Leeds", "h"))
    assert (len(elsewhere.missed), len(elsewhere.wrong), elsewhere.wrong_removals) == (1, 1, 0)
    gone = scored(moved)
    assert (gone.found, gone.wrong, gone.wrong_removals) == (0, ("removed home",), 1)
    ended = at_home("changed", change=[{"name": "home", "says": ["Bristol"], "or_removed": True}])
    assert scored(ended) == Score(found=1)


def test_taken_back_means_gone_and_nothing_else_is() -> None:
    """A memory that goes without being taken back is a wrong removal."""
    assert scored(at_home("taken_back", remove=["home"])) == Score(found=1)
    assert scored(at_home("taken_back", remove=["home"]), HOME).missed == ("removed: home",)
    lost = scored(at_home("not_kept"))
    assert (lost.wrong, lost.wrong_removals) == (("removed home",), 1)
    changed = scored(at_home("not_kept"), fact("Lives in Leeds", "h"))
    assert (len(changed.wrong), changed.wrong_removals) == (1, 0)


def test_what_is_left_open_is_asked_or_kept_beside() -> None:
    """A question about the memory, or both memories; one put in the other's place is wrong."""
    open_case = at_home("changed", leave_open=[{"name": "home", "says": ["Bristol"]}])
    asked = (fact("Lives in Bristol", "h"),)
    assert scored(open_case, HOME, asked=asked) == Score(found=1)
    assert scored(open_case, HOME, fact("Has a flat in Bristol")) == Score(found=1)
    replaced = scored(open_case, fact("Lives in Bristol", "h"))
    assert (replaced.found, len(replaced.missed), len(replaced.wrong)) == (0, 1, 1)
    assert scored(open_case, HOME).missed == ("left open: home, Bristol",)


def test_what_is_to_be_asked_is_not_stored() -> None:
    """A sensitive matter in a channel: the question counts, the memory does not."""
    sober = case("kept", ask=[{"says": ["sober"]}])
    assert scored(sober, asked=(fact("Is sober", "q"),)) == Score(found=1)
    stored = scored(sober, fact("Is sober"))
    assert (len(stored.missed), len(stored.wrong)) == (1, 1)


def test_an_end_must_be_the_right_day() -> None:
    """The last day counts, and a habit has none."""
    away = case("until", keep=[{"says": ["away"], "until": "wednesday"}])
    assert scored(away, fact("away", until=date(2026, 11, 25))) == Score(found=1)
    assert not scored(away, fact("away", until=date(2026, 11, 26))).passed
    assert not scored(away, fact("away")).passed
    habit = case("until", keep=[{"says": ["swims"], "until": "none"}])
    assert scored(habit, fact("swims")) == Score(found=1)
    assert not scored(habit, fact("swims", until=FRIDAY)).passed


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("none", {None}),
        ("+0", {FRIDAY}),
        ("+2|+14", {date(2026, 11, 22), date(2026, 12, 4)}),
        ("saturday", {date(2026, 11, 21)}),
        ("thursday", {date(2026, 11, 26)}),
        ("friday", {FRIDAY, date(2026, 11, 27)}),
        ("month-end", {date(2026, 11, 30)}),
        ("12-03|none", {date(2026, 12, 3), None}),
        ("11-20", {FRIDAY}),
        ("01-15", {date(2027, 1, 15)}),
    ],
)
def test_ends_are_counted_from_the_day_it_was_said(rule: str, days: set[date | None]) -> None:
    """Weekdays and dates are the next such; today's weekday may be today or in a week."""
    assert last_days(rule, FRIDAY) == days
    assert last_days("month-end", date(2028, 2, 1)) == {date(2028, 2, 29)}
    assert last_days("month-end", date(2026, 12, 31)) == {date(2026, 12, 31)}


def report(**fields: Any) -> Report:
    """Return a report of three cases, in two languages."""
    failed = Score(found=1, missed=("kept: x",), wrong=("removed home",), wrong_removals=1)
    other = case("not_kept").model_copy(update={"id": "ja-01"})
    results = [
        Result(case=at_home("not_kept"), score=failed, questions=1),
        Result(case=other, score=Score(found=0)),
        Result(case=other.model_copy(update={"id": "ja-02"}), score=None),
    ]
    usage = {"en": Usage(calls=2, tokens_in=3000, tokens_out=500), "ja": Usage(calls=1)}
    models = {"memory model": "m"}
    at = datetime(2026, 11, 20, 20, 3, tzinfo=UTC)
    return Report(at=at, models=models, results=results, usage=usage, **fields)


def test_the_table_has_the_figures_by_language() -> None:
    """What cannot be said is a dash: no price, no tokens told, nothing expected."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in _lines(report().table())]
    assert rows[0][:4] == ["language", "cases", "passed", "precision"]
    assert rows[2] == ["en", "1", "0", "0.500", "0.500", "1", "1", "2", "3000", "500", "–"]
    assert rows[3] == ["ja", "1", "1", "–", "–", "0", "0", "1", "–", "–", "–"]
    assert rows[4][:2] == ["all", "2"]
    priced = report(prices=Prices(tokens_in=2.0, tokens_out=8.0)).table()
    assert "0.0100" in _lines(priced)[2]
    assert len({len(line) for line in _lines(priced)}) == 1


def _lines(text: str) -> list[str]:
    return text.splitlines()


def test_the_document_names_date_models_and_failed_cases() -> None:
    """Also which cases the model did not answer, and whether the score means anything."""
    text = report().document()
    assert text.startswith("# Evaluation, 2026-11-20 20:03 UTC\n\n- memory model: `m`\n")
    assert "- en-01 (a test): not kept: x; removed home\n" in text
    assert "## Without an answer of the model\n\nja-02\n" in text
    assert "means nothing" not in text
    assert "its score means nothing" in report(stand_in=True).document()


async def test_tokens_are_counted_as_the_model_tells_them() -> None:
    """One call, with or without usage."""
    usage = Usage()
    counter = UsageCounter(usage)
    told = AIMessage(
        "", usage_metadata={"input_tokens": 30, "output_tokens": 5, "total_tokens": 35}
    )
    for message in (told, AIMessage("")):
        await counter.on_llm_end(LLMResult(generations=[[ChatGeneration(message=message)]]))
    assert usage == Usage(calls=2, tokens_in=30, tokens_out=5)
