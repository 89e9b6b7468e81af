"""ForgetEval-Adv: facts that look alike, of which some are to be forgotten and the others not.

A case is played in three ways. ``typed``: `/forget` with the words of the request that name what is
meant, and *Forget All*. ``picked``: the same list, of which the person forgets the rows that are
meant. ``keys``: a model searches and proposes to delete exactly what is meant, and the person
clicks. Source: https://github.com/WaylandYang/forgeteval-anon-supp
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.forgetting.world import Counts, Human, World
from bot.acts.kinds import Forget
from memory import DM, InvalidContent, PersonMessage, add_memories, list_memories

_WAYS = ("typed", "picked", "keys")
_FILES = {"cases": "cases.txt", "external": "external.txt"}
# Words of a request that say how much is meant, and not what.
_AROUND = re.compile(
    r"everything|about|the|a|an|on|team|records?|of|this|term|and|with|without", re.I
)
# Where a request begins to name the same thing in another form, or in another script.
_ANOTHER_FORM = re.compile(
    r"\s+/\s+|\s+aka\s+|(?<=[^\x00-\x7f])\s+(?=[\x00-\x7f])|(?<=[\x00-\x7f])\s+(?=[^\x00-\x7f])"
)
_NAMES = re.compile(r"[\dA-Z@_]|[^\x00-\x7f]")


@dataclass(slots=True)
class Case:
    """A case: its facts, what it asks to forget, and what a prompt must and must not have then."""

    family: str
    number: str
    facts: list[str] = field(default_factory=list)
    replaces: bool = False
    request: str = ""
    question: str = "What is on file?"
    needed: list[str] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)

    def add(self, mark: str, rest: str) -> None:
        """Add a line of the file, which begins with a mark."""
        match mark:
            case "+":
                self.facts.append(rest)
            case ">":
                operation, self.request, *_ = rest.split("|")
                self.replaces = operation == "S"
            case "?":
                self.question = rest
            case "=":
                self.needed.append(rest)
            case "!":
                self.forbidden.append(rest)
            case "~" | "^":
                forms = rest.split("|")
                self.facts.append(f"The account of {forms[0]} is active.")
                self.facts.append(f"Also known: {forms[1]}.")
                self.needed.append(forms[mark == "^"])


def read(path: Path) -> list[Case]:
    """Return the cases of a file.

    Its lines are ``#`` family, ``@`` case, ``+`` fact, ``>`` operation and request, ``?`` question,
    ``=`` needed, ``!`` forbidden, ``~`` or ``^`` a neighbour in two forms, one of which must stay.
    """
    cases: list[Case] = []
    family = ""
    for line in path.read_text("utf-8").splitlines():
        mark, rest = line[:1], line[1:]
        if mark == "#":
            family = rest
        elif mark == "@":
            cases.append(Case(family, rest))
        elif mark:
            cases[-1].add(mark, rest)
    return cases


def has(text: str, part: str) -> bool:
    """Return whether a text has a part; case does not count."""
    return part.casefold() in text.casefold()


def typed_words(request: str, facts: Sequence[str]) -> list[str]:
    """Return what a person types after ``/forget``: the words of a request that name the facts.

    That is its longest run of words which a fact has, preferably with a name or a number. A request
    that names something in several forms is typed once for each.
    """
    found: dict[str, None] = {}
    for form in _ANOTHER_FORM.split(re.sub(r"\(.*?\)", " ", request)):
        runs = [
            run for run in _runs(form.split()) if any(has(fact, run) for fact in facts)
        ]
        if runs:
            best = max(runs, key=lambda run: (bool(_NAMES.search(run)), len(run)))
            found[best] = None
    return list(found) or [request]


def _runs(words: Sequence[str]) -> list[str]:
    """Return the runs of words that begin and end with one that says what is meant."""
    runs: list[str] = []
    for start, first in enumerate(words):
        for end, last in enumerate(words[start:], start + 1):
            if not (_AROUND.fullmatch(first) or _AROUND.fullmatch(last)):
                runs.append(" ".join(words[start:end]).removesuffix("'s"))
    return runs


class Played:
    """A case as it is played in one way."""

    def __init__(self, world: World, file: str, case: Case, counts: Counts) -> None:
        self._world = world
        self._file = file
        self._case = case
        self._counts = counts

    async def play(self, way: str) -> None:
        """Store the facts, forget what is meant, and look at the prompt."""
        world, case = self._world, self._case
        human = await world.human(f"{case.family} {case.number}")
        refused = await self._store(human)
        texts: dict[str, str] = {}
        meant: set[str] = set()
        for memory in await list_memories(world.app.pool, human.person):
            texts[memory.key] = memory.text
            if any(has(memory.text, part) for part in case.forbidden):
                meant.add(memory.key)
        if way == "keys":
            found = set(await world.searched(human, case.request))
            if found & meant:
                await world.forget_by_keys(human, sorted(found & meant))
        else:
            facts = [texts[key] for key in meant] or case.facts[:1]
            found = await self._forget(human, facts, meant, way)
        await world.form(human)
        await world.let_ten_minutes_pass(human)
        prompt = await world.ask(human, case.question)
        wrong = [f"left {part!r}" for part in case.forbidden if has(prompt, part)]
        wrong += [f"missing {part!r}" for part in case.needed if not has(prompt, part)]
        self._add(way, "cases")
        self._add(way, "passed", not wrong)
        self._add(way, "listed", len(found))
        self._add(way, "meant", len(meant))
        self._add(way, "listed_and_meant", len(found & meant))
        self._add(way, "refused", bool(refused))
        if wrong:
            name = f"{self._file} {case.family} {case.number} {way}"
            wrong += [f"also listed {texts[key]!r}" for key in found - meant]
            wrong += [f"not listed {texts[key]!r}" for key in meant - found]
            wrong += [f"refused {fact!r}" for fact in refused]
            self._counts.lines.append(f"{name}: {case.request!r}: {', '.join(wrong)}")

    async def _store(self, human: Human) -> list[str]:
        """Store each fact as *Remember* does; return those that are refused as credentials."""
        refused: list[str] = []
        app = self._world.app
        own = human.person.namespace(DM)
        for fact in self._case.facts:
            given = [({"fact": fact}, PersonMessage(actor="command"))]
            try:
                await add_memories(app.pool, app.embedder, own, "UserFact", given)
            except InvalidContent:
                refused.append(fact)
        return refused

    async def _forget(
        self, human: Human, facts: Sequence[str], meant: set[str], way: str
    ) -> set[str]:
        """Type the words and click; return the keys that the lists had."""
        found: set[str] = set()
        for words in typed_words(self._case.request, facts):
            listed = await self._world.listed(human, words)
            chosen = set(listed.keys)
            found |= chosen
            if way == "picked":
                chosen &= meant
            if chosen:
                await self._world.forget(human, Forget(keys=tuple(chosen)))
        return found

    def _add(self, way: str, name: str, number: int = 1) -> None:
        group = self._case.family
        self._counts.add(f"forgeteval_{self._file}_{way}_{name}", group, number)


async def measure(world: World, folder: Path, counts: Counts) -> None:
    """Play every case that forgets, in each way; those that replace are counted only."""
    for file, name in _FILES.items():
        for case in read(folder / name):
            if case.replaces:
                counts.numbers[f"forgeteval_{file}_replacing"] += 1
                continue
            for way in _WAYS:
                await Played(world, file, case, counts).play(way)
