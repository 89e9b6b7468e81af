"""Compare the outcome of a case with what was expected. Pure: no model, no database."""

from __future__ import annotations

import json
import unicodedata
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from bench.evals.cases import Case, Expected

_LEVELS = ("preference", "interest_level")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A memory, or the memory that a question proposes; `until` is its last day."""

    key: str
    kind: str
    content: Mapping[str, Any]
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The memories before (by name) and after, the questions asked, and the date.

    `cited` are the names of the memories that an answer cites.
    """

    said_on: date
    before: Mapping[str, Stored] = field(default_factory=dict)
    after: tuple[Stored, ...] = ()
    asked: tuple[Stored, ...] = ()
    cited: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The number of expected results found, the missed ones, and the unexpected ones."""

    found: int
    missed: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    wrong_removals: int = 0

    @property
    def passed(self) -> bool:
        """Whether nothing was missed and nothing unexpected happened."""
        return not self.missed and not self.wrong


def score(case: Case, outcome: Outcome) -> Score:
    """Compare `outcome` with what `case` expects.

    An additional memory that repeats what was expected is not wrong, nor is what `allow` permits.
    """
    return _Comparison(case, outcome).score()


class _Comparison:
    def __init__(self, case: Case, outcome: Outcome) -> None:
        self._case = case
        self._outcome = outcome
        self._after = {one.key: one for one in outcome.after}
        known = {one.key for one in outcome.before.values()}
        self._new = [one for one in outcome.after if one.key not in known]
        self._unused = list(self._new)
        self._found = 0
        self._missed: list[str] = []
        self._wrong: list[str] = []
        self._wrong_removals = 0

    def score(self) -> Score:
        case = self._case
        for one in case.keep:
            self._count(self._take(one), f"kept: {_named(one)}")
        for one in case.change:
            self._count(self._is_changed(one), f"changed: {_named(one)}")
        for name in case.remove:
            self._count(self._now(name) is None, f"removed: {name}")
        for one in case.ask:
            asked = any(self._fits(one, given) for given in self._outcome.asked)
            self._count(asked, f"asked: {_named(one)}")
        for one in case.leave_open:
            self._count(self._is_left_open(one), f"left open: {_named(one)}")
        for name in case.cites:
            self._count(name in self._outcome.cited, f"cited: {name}")
        for name in self._outcome.cited:
            if name not in case.cites:
                self._wrong.append(f"cited: {name}")
        self._look_at_others()
        return Score(
            found=self._found,
            missed=tuple(self._missed),
            wrong=tuple(self._wrong),
            wrong_removals=self._wrong_removals,
        )

    def _count(self, happened: bool, what: str) -> None:
        if happened:
            self._found += 1
        else:
            self._missed.append(what)

    def _take(self, expected: Expected) -> bool:
        """Match `expected` with a new memory that no other expectation has matched."""
        for one in self._unused:
            if self._fits(expected, one):
                self._unused.remove(one)
                return True
        return False

    def _is_changed(self, expected: Expected) -> bool:
        """Return whether the memory was patched, or removed and replaced by a new one."""
        name = str(expected.name)
        now = self._now(name)
        if now is None:
            if self._take(expected) or expected.or_removed:
                return True
            self._removed(name)
            return False
        if self._is_as_before(name):
            return False
        if self._fits(expected, now):
            return True
        self._wrong.append(f"changed {name} to {_shown(now)}")
        return False

    def _is_left_open(self, expected: Expected) -> bool:
        """Return whether the person was asked, or both memories exist."""
        name = str(expected.name)
        key = self._outcome.before[name].key
        if any(one.key == key for one in self._outcome.asked):
            return True
        return self._is_as_before(name) and self._take(expected)

    def _look_at_others(self) -> None:
        case = self._case
        spoken_of = {*case.remove, *(one.name for one in case.change)}
        for name in self._outcome.before:
            now = self._now(name)
            allowed = [one for one in case.allow if one.name == name]
            if name in spoken_of or self._is_as_before(name):
                continue
            if now is None:
                self._removed(name)
            elif not any(self._fits(one, now) for one in allowed):
                self._wrong.append(f"changed {name} to {_shown(now)}")
        unnamed = [one for one in case.allow if one.name is None]
        harmless = [*case.keep, *case.change, *case.leave_open, *unnamed]
        for stored in self._unused:
            if not any(self._fits(one, stored) for one in harmless):
                self._wrong.append(f"remembered {_shown(stored)}")

    def _removed(self, name: str) -> None:
        self._wrong.append(f"removed {name}")
        self._wrong_removals += 1

    def _now(self, name: str) -> Stored | None:
        return self._after.get(self._outcome.before[name].key)

    def _is_as_before(self, name: str) -> bool:
        before = self._outcome.before[name]
        now = self._now(name)
        if now is None:
            return False
        return now.content == before.content and now.until == before.until

    def _fits(self, expected: Expected, given: Stored) -> bool:
        return fits(expected, given, self._outcome.said_on)


def fits(expected: Expected, given: Stored, said_on: date) -> bool:
    """Return whether a memory meets the conditions of `expected`."""
    if expected.kind and given.kind not in expected.kind.split("|"):
        return False
    values = [str(one) for one in given.content.values() if one is not None]
    text = _folded(" ".join(values))
    for spellings in expected.says:
        if not any(_folded(one) in text for one in spellings.split("|")):
            return False
    if expected.level:
        low, high = expected.level
        for name in _LEVELS:
            level = given.content.get(name)
            if level is not None and not low <= level <= high:
                return False
    return not expected.until or given.until in last_days(expected.until, said_on)


def last_days(rule: str, said_on: date) -> set[date | None]:
    """Return the days that a rule such as ``friday|+7`` allows; None for ``none``.

    On a Friday, "until Friday" may mean the same day or a week later.
    """
    found: set[date | None] = set()
    for one in rule.split("|"):
        if one == "none":
            found.add(None)
        elif one.startswith("+"):
            found.add(said_on + timedelta(days=int(one[1:])))
        elif one == "month-end":
            _, days = monthrange(said_on.year, said_on.month)
            found.add(said_on.replace(day=days))
        elif one in _DAYS:
            ahead = (_DAYS.index(one) - said_on.weekday()) % 7
            found.add(said_on + timedelta(days=ahead))
            if ahead == 0:
                found.add(said_on + timedelta(days=7))
        else:
            month, day = map(int, one.split("-"))
            last_day = date(said_on.year, month, day)
            if last_day < said_on:
                last_day = last_day.replace(year=said_on.year + 1)
            found.add(last_day)
    return found


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()  # noqa: TID251


def _named(expected: Expected) -> str:
    return ", ".join(filter(None, [expected.name, *expected.says]))


def _shown(one: Stored) -> str:
    given = {name: value for name, value in one.content.items() if value is not None}
    shown = f"{one.kind} {json.dumps(given, ensure_ascii=False)}"
    if one.until is not None:
        shown += f" until {one.until}"
    return shown
