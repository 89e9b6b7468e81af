"""What people do with one memory, and who may read it then: plain sets, and nothing of `memory`.

`expected` says who heard each value that counts; `told` says it once more in other words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, TypeAlias

DM = "dm"
PUBLIC = "public"
PLACES = (DM, PUBLIC, "G1", "G2")
SUBJECT = "food_name"
FIELDS = ("cuisine", "preference", "description")
Values: TypeAlias = dict[str, Any]


@dataclass(eq=False)
class Event:
    """One thing that counts about a memory: words, a removal, or a move that showed values.

    It happened `at` a time and was stored as the `number`-th. It may be withdrawn, end at a time,
    or be hidden by a forgetting.
    """

    act: str
    audience: str
    at: float
    number: int
    values: Values = field(default_factory=dict)
    until: int | None = None
    is_withdrawn: bool = False
    forgetting: int | None = None

    @property
    def order(self) -> tuple[float, int]:
        """The order in which things were said."""
        return self.at, self.number


def counted(events: Iterable[Event], now: int) -> list[Event]:
    """Return what counts since the last removal, in the order in which it was said."""
    there: list[Event] = []
    for one in sorted(events, key=lambda one: one.order):
        is_over = one.until is not None and one.until <= now
        if one.is_withdrawn or is_over or one.forgetting is not None:
            continue
        there.append(one)
        if one.act == "remove":
            there.clear()
    return there


def content(events: Sequence[Event]) -> Values:
    """Return the last value of each field that has one."""
    whole: Values = {}
    for one in events:
        if one.act == "say":
            whole |= one.values
    return whole


def narrower(place: str, other: str) -> str:
    """Return where both may be read: of two private conversations in neither."""
    if PUBLIC in (place, other):
        return other if place == PUBLIC else place
    return place if place == other else DM


def places_of(events: Sequence[Event], name: str, value: Any) -> set[str]:
    """Return where the value that a field has now was heard, of what counts."""
    places: set[str] = set()
    for one in events:
        if one.act == "move" and one.values.get(name) == value:
            places = {one.audience} if places else set()
        elif one.act == "move":
            places = {narrower(place, one.audience) for place in places}
        elif name in one.values and one.values[name] == value:
            places.add(one.audience)
        elif name in one.values:
            places.clear()
    return places


def expected(events: Iterable[Event], now: int) -> tuple[Values, set[str]] | None:
    """Return what a memory says, and who has heard all of it; None for no memory."""
    there = counted(events, now)
    whole = content(there)
    if not whole:
        return None
    readers = set(PLACES)
    for name, value in whole.items():
        heard = places_of(there, name, value)
        if PUBLIC not in heard:
            readers &= {DM, *heard}
    return whole, readers


def told(
    events: Iterable[Event], now: int, audience: str, name: str, value: Any
) -> bool:
    """Return whether people of an audience were told a value after the last move that hid it."""
    is_told = False
    for one in counted(events, now):
        if narrower(audience, one.audience) != audience:
            is_told = is_told and one.act != "move"
        elif one.values.get(name) == value:
            is_told = True
    return is_told


@dataclass
class Life:
    """One memory and what happened to it. `met` are the acts that it met."""

    random: Random
    events: list[Event] = field(default_factory=list)
    asked: list[Event] = field(default_factory=list)
    met: set[str] = field(default_factory=set)
    now: int = 10
    numbers: int = 0

    def act(self) -> None:
        """Do something that is possible now."""
        self.now += 1
        name = self.random.choice(ACTS)
        if getattr(self, name)():
            self.met.add(name)

    def _new(self, act: str, **more: Any) -> Event:
        self.numbers += 1
        place = self.random.choice(PLACES)
        return Event(act, place, self.now, self.numbers, **more)

    def _words(self) -> Event:
        values: Values = {SUBJECT: "ramen"}
        for name in self.random.sample(FIELDS, self.random.randint(0, 2)):
            values[name] = self.random.choice(VALUES[name])
        ends = self.random.random() < 0.4
        until = self.now + self.random.randint(2, 5) if ends else None
        return self._new("say", values=values, until=until)

    def _there(self) -> list[Event]:
        return [one for one in self.events if one.forgetting is None]

    def say(self) -> bool:
        """Say something of it somewhere."""
        self.events.append(self._words())
        return True

    def late(self) -> bool:
        """What was said some time ago is formed only now."""
        one = self._words()
        one.at = self.random.randint(max(self.now - 8, 0), self.now - 1)
        self.events.append(one)
        return True

    def ask(self) -> bool:
        """The person is asked whether something counts."""
        self.asked.append(self._words())
        return True

    def yes(self) -> bool:
        """A yes is said at its click."""
        if not self.asked:
            return False
        one = self.asked.pop()
        self.numbers += 1
        self.events.append(replace(one, at=self.now, number=self.numbers))
        return True

    def edit(self) -> bool:
        """A message says something else: its words go, and others are of the message's time."""
        said = [one for one in self._there() if one.act == "say"]
        if not said:
            return False
        old = self.random.choice(said)
        self.events.remove(old)
        new = self._words()
        self.events.append(replace(new, at=old.at, audience=old.audience))
        return True

    def remove(self) -> bool:
        """Say somewhere that it is true no more."""
        if not counted(self.events, self.now):
            return False
        self.events.append(self._new("remove"))
        return True

    def move(self) -> bool:
        """A click shows the memory and moves it."""
        known = expected(self.events, self.now)
        if known is None:
            return False
        self.events.append(self._new("move", values=known[0]))
        return True

    def undo(self) -> bool:
        """Undo anything that was said or clicked, or a forgetting."""
        left = [one for one in self._there() if not one.is_withdrawn]
        forgotten = [
            one.forgetting for one in self.events if one.forgetting is not None
        ]
        if forgotten and self.random.random() < 0.5:
            forgetting = self.random.choice(forgotten)
            for one in self.events:
                if one.forgetting == forgetting:
                    one.forgetting = None
            return True
        if not left:
            return False
        self.random.choice(left).is_withdrawn = True
        return True

    def forget(self) -> bool:
        """Forget one message, or all of the memory."""
        there = self._there()
        if not there:
            return False
        chosen: Collection[Event] = there
        if self.random.random() < 0.6:
            chosen = [self.random.choice(there)]
        for one in chosen:
            one.forgetting = self.now
        return True

    def expire(self) -> bool:
        """Time passes, and something ends by it."""
        before = counted(self.events, self.now)
        self.now += self.random.randint(3, 6)
        return len(counted(self.events, self.now)) != len(before)


VALUES: dict[str, list[Any]] = {
    "cuisine": ["Japanese", None],
    "preference": [90, 10],
    "description": ["with egg", "hot", None],
}
# What is done often comes more than once.
ACTS = (
    *("say", "say", "say", "late", "ask", "yes", "edit", "remove"),
    *("move", "move", "undo", "undo", "forget", "expire", "expire", "yes"),
)
MEETING = ("move", "edit", "yes", "forget", "undo", "remove", "expire", "late")
