"""The cases: what a person says, and what should be remembered.

There is one TOML file per language; README.md describes the format.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from bot.runtime.problems import Problem

Category: TypeAlias = Literal[
    "kept", "not_kept", "changed", "taken_back", "until", "for_channel", "cited"
]

_ZONES = {
    "de": "Europe/Berlin",
    "es": "Europe/Madrid",
    "fr": "Europe/Paris",
    "it": "Europe/Rome",
    "ja": "Asia/Tokyo",
    "ko": "Asia/Seoul",
    "zh": "Asia/Shanghai",
}
_ID = r"^[a-z]{2}-[0-9]{2,3}$"
_UNTIL = re.compile(
    r"none|month-end|(?:mon|tues|wednes|thurs|fri|satur|sun)day|\+\d{1,3}|(?:0\d|1[0-2])-[0-3]\d"
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Existing(_Strict):
    """A memory that exists before the messages; the case refers to it by `name`."""

    name: str
    kind: str
    content: dict[str, Any]


class Expected(_Strict):
    """Conditions for a memory, or for a question about one.

    `kind` and each item of `says` contain alternatives, separated by ``|``. One of the kinds must
    be the memory's; one spelling of each item of `says` must occur in its values. `level` is the
    range of its level, if it has one. `until` is the last day on which it holds: a weekday, ``+3``
    days after the message, a month and day (``12-03``), ``month-end``, or ``none``.
    """

    name: str | None = None
    kind: str | None = None
    says: tuple[str, ...] = ()
    level: tuple[int, int] | None = None
    until: str | None = None
    or_removed: bool = False

    @field_validator("until")
    @classmethod
    def _known(cls, until: str | None) -> str | None:
        for rule in (until or "none").split("|"):
            if not _UNTIL.fullmatch(rule):
                raise ValueError(f"until cannot be {rule}")
        return until


class Case(_Strict):
    """One case: what a person writes, and what happens to their memories.

    Of the class ``for_channel``: whether a message may be kept for everybody in its channel, as a
    `decision` or not; ``keep`` says that it may. Of the class ``cited``: which of the existing
    memories the answer to the message cites, by their names in `cites`.
    """

    id: str = Field(pattern=_ID)
    category: Category = Field(alias="class")
    # Formed together, like a burst.
    messages: tuple[str, ...] = Field(min_length=1, max_length=3)
    question: str | None = None  # of Kioku, which the first message answers
    existing: tuple[Existing, ...] = ()
    audience: Literal["dm", "public"] = "dm"
    decision: bool = False
    # How many days before the run the messages were written.
    days_ago: int = Field(0, ge=0, le=30)
    keep: tuple[Expected, ...] = ()  # new memories
    change: tuple[Expected, ...] = ()  # existing ones, patched, or removed and replaced
    remove: tuple[str, ...] = ()
    ask: tuple[Expected, ...] = ()  # the person is asked before they are stored
    leave_open: tuple[Expected, ...] = ()  # the person is asked, or both memories exist
    allow: tuple[Expected, ...] = ()  # permitted, and not expected
    cites: tuple[str, ...] = ()

    @property
    def language(self) -> str:
        """The language of the messages, such as ``en``."""
        return self.id[:2]

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the person who writes."""
        return ZoneInfo(_ZONES.get(self.language, "UTC"))

    @property
    def held_out(self) -> bool:
        """Whether it is one of a third of the cases, different ones in each language."""
        return (ord(self.id[0]) + int(self.id[3:])) % 3 == 0

    @property
    def expects(self) -> int:
        """The number of expected changes and questions."""
        expected = self.keep + self.change + self.ask + self.leave_open
        return len(expected) + len(self.remove) + len(self.cites)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        must_name = (*self.change, *self.leave_open)
        if any(one.name is None for one in must_name):
            raise ValueError("change and leave_open name an existing memory")
        named = {one.name for one in (*must_name, *self.allow) if one.name}
        named.update(self.remove)
        named.update(self.cites)
        if named - {one.name for one in self.existing}:
            raise ValueError("a name is none of the existing memories")
        if any(not one.says for one in (*self.keep, *self.ask)):
            raise ValueError("keep and ask need what the memory says")
        return self


def load_cases(folder: Path) -> list[Case]:
    """Return the cases of every ``LANGUAGE.toml`` in `folder`. Raises `Problem`."""
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise Problem(
            f"There are no cases in {folder}: name their folder with --cases."
        )
    cases: list[Case] = []
    for file in files:
        cases += _read(file)
    return sorted(cases, key=lambda case: case.id)


def _read(file: Path) -> list[Case]:
    try:
        found = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as fault:
        raise Problem(f"{file} cannot be read as TOML ({fault}).") from None
    cases: list[Case] = []
    for category, described in found.items():
        for case_id, given in described.items():
            cases.append(_case(file, {"class": category, "id": case_id, **given}))
    return cases


def _case(file: Path, given: dict[str, Any]) -> Case:
    place = f"{file}, {given['id']}"
    try:
        case = Case.model_validate(given)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise Problem(f"{place}: {where} {first['msg']}.") from None
    if case.language != file.stem:
        raise Problem(f"{place}: its id must begin with {file.stem}-.")
    return case


def chosen_cases(
    cases: Sequence[Case],
    *,
    languages: Sequence[str],
    held_out: Literal["only", "without"] | None,
) -> list[Case]:
    """Return the cases of `languages` (empty: all) and of `held_out`. Raises `Problem`."""
    known = sorted({case.language for case in cases})
    if unknown := sorted(set(languages) - set(known)):
        raise Problem(
            f"There are no cases in {', '.join(unknown)}, only in {', '.join(known)}."
        )
    chosen = list(cases)
    if languages:
        chosen = [case for case in chosen if case.language in languages]
    if held_out is not None:
        is_wanted = held_out == "only"
        chosen = [case for case in chosen if case.held_out == is_wanted]
    return chosen
