"""Any sequence of what people do with memories leaves what a model of what they said leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import openai
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from memory import (
    DM,
    PUBLIC,
    Change,
    ChangedSince,
    ChangeGone,
    Embedder,
    FormationResult,
    Former,
    Memory,
    Person,
    PersonMessage,
    Pool,
    Selection,
    add_memories,
    answer_question,
    create_pool,
    edit_memory,
    forget,
    list_memories,
    memory_view,
    move_memory,
    recall_memories,
    undo_changes,
    undo_forgetting,
)
from memory.formation import take_back
from memory.formation.commit import commit
from memory.formation.evidence import Evidence, TypedMessage
from memory.formation.proposal import Proposal, Verdict
from memory.store import expire_due
from tests import lives
from tests.databases import SPACE, login_of
from tests.integration.scripted_model import scripted_model
from tests.lives import Event, Values
from tests.memories import no_model

KIND = "UserFoodPreference"
CHANNELS = {DM: "D1", PUBLIC: "C1", "G1": "G1", "G2": "G2"}
PEOPLE = (Person("T1", "U1"), Person("T1", "U12"))
NUMBERS = count(1)
PERSONS = st.sampled_from(PEOPLE)
AUDIENCES = st.sampled_from([*CHANNELS])
WORDS = st.sampled_from(("ramen", "udon", "soba", "natto"))
PLACES = st.integers(0, 30)
LEVELS = st.integers(1, 99)
ENDS = 1  # when what ends is over; it is not yet


@dataclass(eq=False)
class Said(Event):
    """Something that counts about a memory, with what names it in the database."""

    message: str = ""  # the ts; "" for a form
    batch: UUID | None = None
    word: str = ""  # what the memory was called by it
    is_typed: bool = True  # and not clicked

    @property
    def is_words(self) -> bool:
        """Whether somebody typed what is so."""
        return self.act == "say" and self.is_typed

    @property
    def is_clicked(self) -> bool:
        """Whether it has no words of its own."""
        return self.act == "move" or not self.is_typed


def amounts_to(said: Iterable[Said], now: int) -> tuple[Values, set[str]] | None:
    """Return what a memory says, and who heard it; a click alone makes no memory."""
    events = [*said]
    has_words = any(
        isinstance(one, Said) and one.is_words for one in lives.counted(events, now)
    )
    return lives.expected(events, now) if has_words else None


@dataclass(eq=False)
class Thing:
    """One memory: what was said about it, in any order. It may be renamed."""

    key: str
    said: list[Said] = field(default_factory=list)

    @property
    def known(self) -> tuple[Values, set[str]] | None:
        """What it says, and who has heard all of it."""
        return amounts_to(self.said, 0)

    @property
    def ends(self) -> bool:
        """Whether nothing is left of it then."""
        return amounts_to(self.said, ENDS) is None

    @property
    def word(self) -> str | None:
        """The food that it is about now."""
        known = self.known
        return None if known is None else str(known[0]["food_name"])

    def amounts_to_nothing(self, own: Sequence[Said]) -> bool:
        """Return whether there was no memory before these, and none after them."""
        earlier = [
            one
            for one in self.said
            if one.number < own[0].number and not one.is_withdrawn
        ]
        as_said = [replace(one, is_withdrawn=False) for one in own]
        whole = [*earlier, *as_said]
        is_nothing = all(amounts_to(there, 0) is None for there in (earlier, whole))
        return is_nothing and own[-1].act != "remove"


@dataclass
class Model:
    """One person: their memories, and what was hidden of them by each forgetting."""

    things: dict[str, Thing] = field(default_factory=dict)
    changes: dict[UUID, tuple[Thing, Said]] = field(default_factory=dict)
    forgotten: dict[UUID, dict[Thing, list[Said]]] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)  # ts: channel
    gone: set[str] = field(default_factory=set)

    def remembered(self) -> list[Thing]:
        """Return the memories that are remembered."""
        return [thing for thing in self.things.values() if thing.word is not None]

    def pick(self, place: int) -> Thing | None:
        """Return one of the memories that are remembered."""
        remembered = self.remembered()
        return remembered[place % len(remembered)] if remembered else None

    def about(self, word: str) -> Thing | None:
        """Return the memory about a food: the one that is, or else that was called so last.

        What was said of it and is forgotten counts, too.
        """
        named: list[tuple[bool, int, Thing]] = []
        for thing, said in self.all_said():
            last = max((one.number for one in said if one.word == word), default=0)
            if last and thing.word in (word, None):
                named.append((thing.word == word, last, thing))
        return max(named, key=lambda one: one[:2])[2] if named else None

    def all_said(self) -> Iterator[tuple[Thing, list[Said]]]:
        """Yield all that was said of each memory, forgotten or not."""
        for thing in self.things.values():
            hidden = [said.get(thing, []) for said in self.forgotten.values()]
            yield thing, [*thing.said, *(one for several in hidden for one in several)]


def quote(ts: str) -> str:
    """Return a word that only the message with this ts has."""
    return f"quote{ts.replace('.', '')}"


@dataclass(frozen=True)
class World:
    """The database, and the event loop of all sequences."""

    pool: Pool
    former: Former
    database: str
    run: Any


class Sequences(RuleBasedStateMachine):
    """What people do; `world` is set by the test."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        with psycopg.connect(self.world.database) as owner:
            owner.execute("TRUNCATE store, store_vectors, statements, forgotten")
        self.models = {person: Model() for person in PEOPLE}

    # --- what the rules use

    @property
    def pool(self) -> Pool:
        return self.world.pool

    @property
    def embedder(self) -> Embedder:
        return self.world.former.embedder

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine."""
        return self.world.run(work)

    def rows(self, person: Person, audience: str) -> dict[str, Memory]:
        """Return the memories that a conversation may read, by key."""
        view = memory_view(person.namespace(audience))
        found = self.do(recall_memories(self.pool, self.embedder, view, "food"))
        return {one.key: one for one in found.memories}

    def form(
        self,
        person: Person,
        audience: str,
        content: Values | None,
        target: Memory | None,
        *,
        ago: int = 0,
        asks: bool = False,
        ends: bool = False,
        removes: bool = False,
        also: Values | None = None,
    ) -> tuple[str, FormationResult]:
        """Let a message, sent some seconds `ago`, propose contents or a removal; return its ts."""
        ts = f"{datetime.now(UTC).timestamp() - ago:.6f}"
        channel = CHANNELS[audience]
        self.models[person].messages[ts] = channel
        words = PersonMessage(text=f"I love this {quote(ts)}", channel=channel, ts=ts)
        evidence = Evidence(message=TypedMessage(words), text=words.text)
        until = datetime.now(UTC).date() + timedelta(days=9) if ends else None
        verdict = Verdict(
            index=0,
            supported=True,
            about="speaker",
            modality="asserted",
            conflict="unclear" if asks else "none",
            valid_until=until,
        )
        proposals = [
            Proposal(
                kind=KIND,
                content=one,
                said={} if removes else one,
                evidence=evidence,
                target=target,
                removes=removes,
                verdict=verdict,
            )
            for one in (content or {}, also)
            if one is not None
        ]
        view = memory_view(person.namespace(audience))
        formed = self.do(commit(self.pool, self.embedder, view, proposals))
        assert isinstance(formed, FormationResult)
        assert not formed.refused
        return ts, formed

    def take(self, person: Person, change: Change, said: Said) -> None:
        """Take what a change says into the model."""
        model = self.models[person]
        thing = model.things.setdefault(change.key, Thing(change.key))
        newest = max(thing.said, key=lambda one: one.number, default=None)
        said.number = next(NUMBERS)
        said.batch = change.batch
        said.word = said.values.get("food_name") or (newest.word if newest else "")
        thing.said.append(said)
        model.changes[change.id] = (thing, said)

    def say(
        self, audience: str, values: Values, ts: str, *, ends: bool = False
    ) -> Said:
        """Return what a message said."""
        until = ENDS if ends else None
        return Said("say", audience, float(ts), 0, values, until, message=ts)

    # --- what people do

    @rule(
        person=PERSONS,
        audience=AUDIENCES,
        word=WORDS,
        level=LEVELS,
        ends=st.booleans(),
        ago=st.sampled_from((0, 0, 5)),
    )
    def remember(
        self,
        person: Person,
        audience: str,
        word: str,
        level: int,
        ends: bool,
        ago: int,
    ) -> None:
        """Say a thing in a message that may be formed late, whether it is known or not."""
        fields: Values = {"food_name": word, "preference": level}
        about = self.models[person].about(word)
        ts, formed = self.form(person, audience, fields, None, ends=ends, ago=ago)
        for change in formed.changes:
            assert about is None or change.key == about.key
            self.take(person, change, self.say(audience, fields, ts, ends=ends))

    @rule(person=PERSONS, audience=AUDIENCES, word=WORDS, other=WORDS, level=LEVELS)
    def remember_two(
        self, person: Person, audience: str, word: str, other: str, level: int
    ) -> None:
        """Say two things in one message."""
        if word == other:
            return
        both: list[Values] = [
            {"food_name": one, "preference": level} for one in (word, other)
        ]
        ts, formed = self.form(person, audience, both[0], None, also=both[1])
        for change, fields in zip(formed.changes, both, strict=True):
            self.take(person, change, self.say(audience, fields, ts))

    @rule(
        person=PERSONS, word=WORDS, level=LEVELS, audience=st.sampled_from([DM, PUBLIC])
    )
    def add(self, person: Person, word: str, level: int, audience: str) -> None:
        """Write a memory by a command."""
        fields: Values = {"food_name": word, "preference": level}
        about = self.models[person].about(word)
        given = [(fields, PersonMessage(actor="command", text="x"))]
        own = person.namespace(audience)
        [change] = self.do(add_memories(self.pool, self.embedder, own, KIND, given))
        assert about is None or change.key == about.key
        now = datetime.now(UTC).timestamp()
        self.take(person, change, Said("say", audience, now, 0, fields))

    @rule(
        person=PERSONS,
        place=PLACES,
        level=LEVELS,
        audience=AUDIENCES,
        ends=st.booleans(),
    )
    def correct(
        self, person: Person, place: int, level: int, audience: str, ends: bool
    ) -> None:
        """Say more about a memory in a conversation that may read it, perhaps until a day."""
        thing = self.models[person].pick(place)
        if thing is None or (row := self.rows(person, audience).get(thing.key)) is None:
            return
        note = f"note {next(NUMBERS)}"
        content = {**row.content, "preference": level, "description": note}
        inherits = thing.ends
        ts, formed = self.form(person, audience, content, row, ends=ends)
        values = changed(content, row.content) | {"food_name": thing.word}
        said = self.say(audience, values, ts, ends=ends or inherits)
        self.take(person, formed.changes[0], said)

    @rule(person=PERSONS, place=PLACES, level=LEVELS)
    def edit(self, person: Person, place: int, level: int) -> None:
        """Edit a memory in a form, which says it to those who may read the memory."""
        thing = self.models[person].pick(place)
        if thing is None:
            return
        fields: Values = {"preference": level, "description": f"note {next(NUMBERS)}"}
        self.fill_in(person, thing, fields)

    @rule(person=PERSONS, place=PLACES, level=LEVELS)
    def click(self, person: Person, place: int, level: int) -> None:
        """Change a memory by a click, in which nothing is typed."""
        thing = self.models[person].pick(place)
        if thing is not None:
            self.fill_in(person, thing, {"preference": level}, is_typed=False)

    @rule(person=PERSONS, place=PLACES, other=WORDS, level=LEVELS)
    def rename(self, person: Person, place: int, other: str, level: int) -> None:
        """Edit a memory so that it is about something else."""
        thing = self.models[person].pick(place)
        if thing is not None and thing.word != other:
            self.fill_in(person, thing, {"food_name": other, "preference": level})

    def fill_in(
        self, person: Person, thing: Thing, fields: Values, *, is_typed: bool = True
    ) -> None:
        """Fill in the form of a memory; one that shows an older state of it is refused."""
        row = self.rows(person, DM)[thing.key]
        ends = ENDS if thing.ends else None
        content = {**row.content, **fields}
        known_as = self.models[person].about(content["food_name"])
        origin = PersonMessage(actor="modal", text="typed")
        if not is_typed:
            origin = PersonMessage(actor="command")
        key = thing.key
        old = row.updated_at - timedelta(seconds=1)
        for seen in (old, row.updated_at):
            work = edit_memory(
                self.pool, self.embedder, person, key, content, origin, seen=seen
            )
            if seen == old:
                with pytest.raises(ChangedSince):
                    self.do(work)
        changes: list[Change] = self.do(work)
        values = changed(content, row.content) | {"food_name": content["food_name"]}
        now = datetime.now(UTC).timestamp()
        said = Said("say", row.audience, now, 0, values, ends)
        said.is_typed = is_typed
        self.take_name(person, changes, row, known_as, said)

    @rule(person=PERSONS, place=PLACES, other=WORDS, level=LEVELS, audience=AUDIENCES)
    def rename_in_a_message(
        self, person: Person, place: int, other: str, level: int, audience: str
    ) -> None:
        """Say in a conversation that may read a memory that it is about something else."""
        thing = self.models[person].pick(place)
        if thing is None or thing.word == other:
            return
        row = self.rows(person, audience).get(thing.key)
        if row is None:
            return
        content = {**row.content, "food_name": other, "preference": level}
        known_as = self.models[person].about(other)
        ts, formed = self.form(person, audience, content, row)
        said = self.say(audience, changed(content, row.content), ts)
        self.take_name(person, formed.changes, row, known_as, said)

    def take_name(
        self,
        person: Person,
        changes: Sequence[Change],
        row: Memory,
        known_as: Thing | None,
        said: Said,
    ) -> None:
        """Take into the model that a memory is about something, of which more was said or not.

        If it was, the memory is taken back, and what that audience knew of it is said of the other.
        """
        if len(changes) == 1:
            assert known_as is None or known_as.key == row.key
            self.take(person, changes[0], said)
            return
        left, joined = changes
        removal = replace(said, act="remove", values={})
        self.take(person, left, removal)
        assert known_as is not None
        assert joined.key == known_as.key
        if said.audience == DM or row.audience in (PUBLIC, said.audience):
            before = {n: v for n, v in row.content.items() if v is not None}
            said.values = before | said.values
        said.values = {n: v for n, v in said.values.items() if v is not None}
        self.take(person, joined, said)

    @rule(
        person=PERSONS,
        place=PLACES,
        level=LEVELS,
        answer=st.sampled_from(["yes", "no"]),
    )
    def ask(self, person: Person, place: int, level: int, answer: str) -> None:
        """Leave a question about a memory, and answer it."""
        thing = self.models[person].pick(place)
        if thing is None:
            return
        row = self.rows(person, DM)[thing.key]
        inherits = thing.ends
        content = {**row.content, "preference": level}
        ts, formed = self.form(person, DM, content, row, asks=True)
        [question] = formed.questions
        work = answer_question(self.pool, self.embedder, person, question.id, answer)
        values = changed(content, row.content)
        for change in self.do(work):
            fields = {"food_name": thing.word, **values}
            said = self.say(DM, fields, ts, ends=inherits and bool(values))
            said.at = datetime.now(UTC).timestamp()
            self.take(person, change, said)
        with pytest.raises(ChangeGone):
            self.do(
                answer_question(self.pool, self.embedder, person, question.id, answer)
            )

    @rule(person=PERSONS, place=PLACES, audience=AUDIENCES)
    def retract(self, person: Person, place: int, audience: str) -> None:
        """Say anywhere that a memory does not hold any more: it is named where it is not shown."""
        thing = self.models[person].pick(place)
        if thing is None:
            return
        assert thing.word is not None
        row = self.rows(person, audience).get(thing.key)
        if row is None:
            thing = self.models[person].about(thing.word)
            assert thing is not None
        named = {"food_name": thing.word}
        ts, formed = self.form(person, audience, named, row, removes=True)
        [change] = formed.changes
        assert change.key == thing.key
        self.take(person, change, Said("remove", audience, float(ts), 0, message=ts))

    @rule(person=PERSONS, place=PLACES, audience=AUDIENCES)
    def move(self, person: Person, place: int, audience: str) -> None:
        """Let a memory be used elsewhere."""
        thing = self.models[person].pick(place)
        if thing is None:
            return
        row = self.rows(person, DM)[thing.key]
        work = move_memory(self.pool, self.embedder, person, thing.key, audience)
        if row.audience == audience:
            with pytest.raises(ChangedSince):
                self.do(work)
            return
        change = self.do(work)
        now = datetime.now(UTC).timestamp()
        self.take(person, change, Said("move", audience, now, 0, row.content))

    @rule(person=PERSONS, place=PLACES)
    def undo(self, person: Person, place: int) -> None:
        """Undo any change, perhaps once more."""
        model = self.models[person]
        if not model.changes:
            return
        identity = [*model.changes][place % len(model.changes)]
        thing, named = model.changes[identity]
        own = [one for one in thing.said if one.batch == named.batch]
        if named not in own or thing.amounts_to_nothing(own):
            own = []
        counted = [one for one in own if not one.is_withdrawn]
        done = self.do(undo_changes(self.pool, self.embedder, person, ids=[identity]))
        assert len(done) == bool(counted)
        for one in counted:
            one.is_withdrawn = True

    @rule(person=PERSONS, place=PLACES)
    def meddle(self, person: Person, place: int) -> None:
        """Try to change and to undo what is another person's: nothing happens."""
        [other] = [one for one in PEOPLE if one != person]
        model = self.models[other]
        if model.changes:
            identity = [*model.changes][place % len(model.changes)]
            work = undo_changes(self.pool, self.embedder, person, ids=[identity])
            assert self.do(work) == []
        if model.forgotten:
            identity = [*model.forgotten][place % len(model.forgotten)]
            with pytest.raises(ChangeGone):
                self.do(undo_forgetting(self.pool, self.embedder, person, identity))
        thing = model.pick(place)
        if thing is not None and thing.key not in self.models[person].things:
            origin = PersonMessage(actor="modal", text="typed")
            content = {"food_name": "natto"}
            key = thing.key
            work = edit_memory(self.pool, self.embedder, person, key, content, origin)
            with pytest.raises(ChangeGone):
                self.do(work)

    @rule(person=PERSONS, place=PLACES, what=st.sampled_from(["one", "message", "all"]))
    def forget(self, person: Person, place: int, what: str) -> None:
        """Forget a memory, a message or everything."""
        model = self.models[person]
        before = model.remembered()
        things = [*model.things.values()]
        hidden = {thing: thing.said for thing in things}
        selection = Selection(everything=True)
        if what == "one":
            thing = model.pick(place)
            if thing is None:
                return
            selection = Selection(keys=[thing.key])
            words = {one.word for one in thing.said if one.act == "say"}
            hidden = {
                other: said_as(other, words) for other in things if other.word is None
            }
            hidden[thing] = thing.said
        elif what == "message":
            if not model.messages:
                return
            ts = [*model.messages][place % len(model.messages)]
            selection = Selection(messages=[(model.messages[ts], ts)])
            hidden = {
                thing: [one for one in thing.said if one.message == ts]
                for thing in things
            }
            # Where no words are left, a move goes with them.
            for thing, said in hidden.items():
                rest = [one for one in thing.said if one not in said]
                if said and all(one.is_clicked for one in rest):
                    hidden[thing] = thing.said
        for thing, said in hidden.items():
            thing.said = [one for one in thing.said if one not in said]
        done = self.do(forget(self.pool, person, selection))
        assert len(done.memories) == len([one for one in before if one.word is None])
        assert done.id is not None or not any(hidden.values())
        if done.id is not None:
            model.forgotten[done.id] = {
                thing: said for thing, said in hidden.items() if said
            }

    @rule(person=PERSONS, place=PLACES)
    def unforget(self, person: Person, place: int) -> None:
        """Take a forgetting back, whatever was said in the meantime."""
        model = self.models[person]
        if not model.forgotten:
            return
        identity = [*model.forgotten][place % len(model.forgotten)]
        hidden = model.forgotten.pop(identity)
        self.do(undo_forgetting(self.pool, self.embedder, person, identity))
        for thing, said in hidden.items():
            thing.said += said
        with pytest.raises(ChangeGone):
            self.do(undo_forgetting(self.pool, self.embedder, person, identity))

    @rule(person=PERSONS, place=PLACES, edited=st.booleans())
    def delete_message(self, person: Person, place: int, edited: bool) -> None:
        """Delete a message in Slack, or edit it so that it says nothing of it any more."""
        model = self.models[person]
        if not model.messages:
            return
        ts = [*model.messages][place % len(model.messages)]
        channel = model.messages[ts]
        message = (channel, ts)
        self.do(
            take_back(self.pool, self.embedder, person, message, is_deleted=not edited)
        )
        for thing, said in [*model.all_said()]:
            if not any(one.message == ts for one in said):
                continue
            left = [one for one in said if one.message != ts]
            # A thing of which nobody has typed anything any more goes.
            if not edited and not any(one.is_words for one in left):
                left = []
            for statements in (thing.said, *self.hidden(model, thing)):
                statements[:] = [one for one in statements if one in left]
        model.gone.add(quote(ts))

    @staticmethod
    def hidden(model: Model, thing: Thing) -> list[list[Said]]:
        """Return what each forgetting has hidden of a memory."""
        return [said[thing] for said in model.forgotten.values() if thing in said]

    @rule(person=PERSONS)
    def expire(self, person: Person) -> None:
        """Let what ends end: what was true before is true again."""
        model = self.models[person]
        with psycopg.connect(self.world.database) as owner:
            owner.execute(
                "UPDATE statements SET until = now() - interval '1 second'"
                " WHERE until IS NOT NULL AND forgotten_id IS NULL AND user_id = %s",
                [person.user_id],
            )
        self.do(expire_due(self.pool))
        ended = set()
        for thing in model.things.values():
            ended |= {one.message for one in thing.said if one.until is not None}
            thing.said = [one for one in thing.said if one.until is None]
        left = {one.message for _, said in model.all_said() for one in said}
        model.gone |= {quote(ts) for ts in ended - left if ts}
        self.nothing_is_left()

    @rule()
    def purge(self) -> None:
        """Let ten minutes pass: what was forgotten cannot come back."""
        with psycopg.connect(self.world.database) as owner:
            owner.execute(
                "UPDATE forgotten SET at = now() - interval '11 minutes'"
                " WHERE purged_at IS NULL"
            )
        self.do(expire_due(self.pool))
        for model in self.models.values():
            for states in model.forgotten.values():
                said = [one for several in states.values() for one in several]
                model.gone |= {quote(one.message) for one in said if one.message}
            model.forgotten.clear()
        self.nothing_is_left()

    def nothing_is_left(self) -> None:
        """Expect that what is gone is in no column of any table."""
        with psycopg.connect(self.world.database) as owner:
            tables = owner.execute(
                "SELECT relname FROM pg_class WHERE relkind = 'r'"
                " AND relnamespace = 'public'::regnamespace"
            ).fetchall()
            rows = [
                str(row)
                for [table] in tables
                for row in owner.execute(f"TABLE {table}")
            ]
        everything = "\n".join(rows)
        for model in self.models.values():
            assert [word for word in model.gone if word in everything] == []

    # --- what must hold

    @invariant()
    def each_memory_has_one_audience(self) -> None:
        """Each is what the model says, and is read by those who have heard all of it."""
        for person, model in self.models.items():
            rows = {row.key: row for row in self.do(list_memories(self.pool, person))}
            assert rows.keys() == {thing.key for thing in model.remembered()}
            for thing in model.remembered():
                row = rows[thing.key]
                assert thing.known is not None
                whole, readers = thing.known
                assert without_none(row.content) == without_none(whole)
                assert row.audience in readers
                assert (row.audience == PUBLIC) == (PUBLIC in readers)
                assert (row.audience == DM) == (readers == {DM})
                assert (row.expires_at is not None) == thing.ends
            for audience in (PUBLIC, "G1", "G2"):
                seen = self.rows(person, audience)
                may = {k for k, r in rows.items() if r.audience in (PUBLIC, audience)}
                assert seen.keys() == may


def changed(content: Values, before: Values) -> Values:
    """Return the fields whose values are not those of before."""
    return {name: value for name, value in content.items() if value != before[name]}


def without_none(content: Values) -> Values:
    """Return the fields that have a value."""
    return {name: value for name, value in content.items() if value is not None}


def said_as(thing: Thing, words: Iterable[str]) -> list[Said]:
    """Return what was said of a memory when it was called so."""
    return [one for one in thing.said if one.act == "say" and one.word in words]


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for all sequences."""
    with asyncio.Runner() as made:
        yield made


@pytest.fixture
def sequences(runner: asyncio.Runner, database: str) -> Iterator[type[Sequences]]:
    """What people do in a database of their own."""

    async def opened() -> tuple[Any, openai.AsyncOpenAI, Pool]:
        serving = scripted_model()
        served = await serving.__aenter__()
        client = openai.AsyncOpenAI(
            api_key="none", base_url=served.base_url, max_retries=0
        )
        pool = create_pool(login_of(database), min_size=1, max_size=2, timeout=10)
        await pool.open()
        return serving, client, pool

    async def closed() -> None:
        await pool.close()
        await client.close()
        await serving.__aexit__(None, None, None)

    serving, client, pool = runner.run(opened())
    former = Former(pool, Embedder(client, SPACE), no_model)

    class Here(Sequences):
        world = World(pool, former, database, runner.run)

    yield Here
    runner.run(closed())


def test_any_sequence_leaves_what_the_model_says(sequences: type[Sequences]) -> None:
    """Two people in three audiences do anything in any order: 1,350 steps."""
    run_state_machine_as_test(
        sequences,
        settings=settings(
            max_examples=30,
            stateful_step_count=45,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("gone", ["deleted", "edited", "purged"])
def test_a_new_name_joins_nothing_that_cannot_come_back(
    sequences: type[Sequences], gone: str
) -> None:
    """What had it was forgotten, and no Undo brings that back: the renamed memory stays."""
    said = sequences()
    who = PEOPLE[1]
    here: dict[str, Any] = {"person": who, "place": 0}
    new: dict[str, Any] = {"audience": DM, "level": 50, "ends": False, "ago": 0}
    said.remember(person=who, word="soba", **new)
    said.move(**here, audience=PUBLIC)
    said.forget(**here, what="message")
    if gone == "purged":
        said.purge()
    else:
        said.delete_message(**here, edited=gone == "edited")
    said.remember(person=who, word="ramen", **new)
    said.rename_in_a_message(**here, other="soba", level=3, audience=DM)
    said.each_memory_has_one_audience()
