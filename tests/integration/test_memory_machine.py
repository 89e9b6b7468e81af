"""Any sequence of what people do with memories leaves what a model of what they said leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
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
    open_questions,
    recall_memories,
    undo_changes,
    undo_forgetting,
)
from memory.formation import delete_unsaid
from memory.formation.commit import commit
from memory.formation.evidence import Evidence, TypedMessage
from memory.formation.proposal import Proposal, Verdict
from memory.store import expire_due
from tests.databases import SPACE, login_of
from tests.integration.scripted_model import scripted_model
from tests.memories import no_model

KIND = "UserFoodPreference"
CHANNELS = {DM: "D1", PUBLIC: "C1", "G1": "G1"}
PEOPLE = (Person("T1", "U1"), Person("T1", "U12"))
FIELDS = ("food_name", "cuisine", "preference", "description")
NUMBERS = count(1)
FOODS = ("ramen", "udon", "soba", "natto")
PERSONS = st.sampled_from(PEOPLE)
AUDIENCES = st.sampled_from([*CHANNELS])
WORDS = st.sampled_from(FOODS)
PLACES = st.integers(0, 30)
LEVELS = st.integers(1, 99)


@dataclass(eq=False)
class Said:
    """One thing that was said about a memory; without `fields` it was taken back, or moved."""

    audience: str
    fields: dict[str, Any] | None
    message: str = ""  # the ts; "" for a form
    typed: bool = True
    moves: bool = False
    ends: bool = False
    withdrawn: bool = False
    blanked: bool = False  # its words, which also said what was forgotten, are gone
    at: float = 0.0
    number: int = 0  # the order in which all of it was stored
    batch: UUID | None = None
    word: str = ""  # what the memory was called by it


@dataclass(eq=False)
class Thing:
    """One memory: what was said about it, in any order. It may be renamed."""

    said: list[Said] = field(default_factory=list)

    def known(self, audience: str) -> dict[str, Any] | None:
        """Return what an audience knows about it."""
        heard = self.heard()
        whole = summed(heard)
        if audience == DM or whole is None:
            return whole
        there = [one for one in heard if one[0] == audience or one[1].fields is None]
        content = summed(there)
        if content is None:
            return None
        true = all(
            whole[name] == value for name, value in content.items() if value is not None
        )
        return content if true else None

    def heard(self) -> list[tuple[str, Said]]:
        """Return what counts, each with the audience that knows it, in the order it was said."""
        placed: list[tuple[str, Said]] = []
        for one in sorted(self.said, key=lambda one: (one.at, one.number)):
            if one.withdrawn:
                continue
            if one.moves:
                placed = [(one.audience, earlier) for _, earlier in placed]
            else:
                placed.append((one.audience, one))
        return placed

    def fields_known(self, audience: str) -> set[str]:
        """Return the fields that an audience has heard of since the memory was taken back."""
        known: set[str] = set()
        for place, one in self.heard():
            if one.fields is None:
                known.clear()
            elif place == audience:
                known |= one.fields.keys()
        return known

    def ends(self, audience: str = DM) -> bool:
        """Return whether nothing of what an audience knows is left then."""
        there = [
            one
            for one in self.heard()
            if audience in (DM, one[0]) or one[1].fields is None
        ]
        return summed([one for one in there if not one[1].ends]) is None

    @property
    def word(self) -> str | None:
        """The food that it is about now."""
        whole = self.known(DM)
        return None if whole is None else str(whole["food_name"])

    def moves_nothing(self, move: Said) -> bool:
        """Return whether nothing is left of what a move found: that was edited away, or ended."""
        found = [
            (one.audience, one)
            for one in self.said
            if one.number < move.number and not one.moves and not one.withdrawn
        ]
        return summed(found) is None

    def last_named(self, word: str) -> int:
        """Return when it was last called so; 0: never."""
        return max((one.number for one in self.said if one.word == word), default=0)


@dataclass
class Model:
    """One person: their memories, and what was hidden of them by each forgetting."""

    things: list[Thing] = field(default_factory=list)
    changes: dict[UUID, Said] = field(default_factory=dict)
    forgotten: dict[UUID, dict[Thing, list[Said]]] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)  # ts: channel
    gone: set[str] = field(default_factory=set)

    def remembered(self) -> list[Thing]:
        """Return the memories that are remembered."""
        return [thing for thing in self.things if thing.word is not None]

    def pick(self, place: int) -> Thing | None:
        """Return one of the memories that are remembered."""
        remembered = self.remembered()
        return remembered[place % len(remembered)] if remembered else None

    def about(self, word: str) -> Thing | None:
        """Return the memory about a food: the one that is, or else that was called so last."""
        for thing in self.remembered():
            if thing.word == word:
                return thing
        ended = [
            one for one in self.things if one.word is None and one.last_named(word)
        ]
        return max(ended, key=lambda one: one.last_named(word), default=None)

    def about_or_new(self, word: str) -> Thing:
        """Return the memory about a food; a new one if there is none."""
        thing = self.about(word)
        if thing is None:
            thing = Thing()
            self.things.append(thing)
        return thing

    def join(self) -> None:
        """Let memories that have become about the same food join the one that was named last."""
        for word in FOODS:
            same = [one for one in self.remembered() if one.word == word]
            if len(same) < 2:
                continue
            newest = max(same, key=lambda one: one.last_named(word))
            for thing in same:
                if thing is not newest:
                    self._move(thing, newest)

    @staticmethod
    def _move(thing: Thing, newest: Thing) -> None:
        """Let what counts of a memory, since it was last taken back, be said about another one.

        A move of the other one does not apply to it.
        """
        counted: list[Said] = []
        for audience, one in in_order(thing.heard()):
            if one.fields is None:
                counted.clear()
            else:
                one.audience = audience
                counted.append(one)
        for audience, one in newest.heard():
            one.audience = audience
        moves = [one for one in newest.said if one.moves]
        thing.said = [one for one in thing.said if one not in counted] + moves
        newest.said = [one for one in newest.said if one not in moves] + counted

    def all_said(self) -> Iterator[tuple[Thing, list[Said]]]:
        """Yield all that was said of each memory, forgotten or not."""
        for thing in self.things:
            hidden = [said.get(thing, []) for said in self.forgotten.values()]
            yield thing, [*thing.said, *(one for several in hidden for one in several)]


def in_order(heard: Iterable[tuple[str, Said]]) -> list[tuple[str, Said]]:
    """Return what was heard in the order in which it was said."""
    return sorted(heard, key=lambda pair: (pair[1].at, pair[1].number))


def summed(heard: Iterable[tuple[str, Said]]) -> dict[str, Any] | None:
    """Return the content that these amount to, taken in the order in which they were said."""
    content: dict[str, Any] | None = None
    for _, one in in_order(heard):
        if one.fields is None:
            content = None
        else:
            content = {**dict.fromkeys(FIELDS), **(content or {}), **one.fields}
    return content


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
            owner.execute(
                "TRUNCATE store, store_vectors, statements, proposals, forgotten_sources"
            )
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

    def row(self, person: Person, word: str | None, audience: str) -> Memory | None:
        """Return a memory as a conversation knows it."""
        view = memory_view(person.namespace(audience), only_own=True)
        found = self.do(recall_memories(self.pool, self.embedder, view, word or ""))
        return next(
            (one for one in found.memories if one.content["food_name"] == word), None
        )

    def key(self, person: Person, thing: Thing) -> str:
        """Return the key of a memory that is remembered."""
        row = self.row(person, thing.word, DM)
        assert row is not None
        return row.key

    def form(
        self,
        person: Person,
        audience: str,
        contents: list[tuple[dict[str, Any] | None, Memory | None]],
        *,
        asks: bool = False,
        ends: bool = False,
    ) -> tuple[str, FormationResult]:
        """Let a new message of a person propose contents, None for a removal; return its ts."""
        ts = f"{datetime.now(UTC).timestamp():.6f}"
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
                content=content or {},
                said=content or {},
                evidence=evidence,
                target=target,
                removes=content is None,
                verdict=verdict,
            )
            for content, target in contents
        ]
        view = memory_view(person.namespace(audience))
        formed = self.do(commit(self.pool, self.embedder, view, proposals))
        assert isinstance(formed, FormationResult)
        assert not formed.refused
        return ts, formed

    def take(
        self, person: Person, change: Change, thing: Thing, said: list[Said]
    ) -> None:
        """Take what a change says into the model."""
        called = max(
            thing.said, key=lambda one: one.number, default=Said("", None)
        ).word
        for one in said:
            one.number = next(NUMBERS)
            one.batch = change.batch
            one.word = one.fields["food_name"] if one.fields else called
        thing.said += said
        self.models[person].changes[change.id] = said[0]

    # --- what people do

    @rule(
        person=PERSONS, audience=AUDIENCES, word=WORDS, level=LEVELS, ends=st.booleans()
    )
    def remember(
        self, person: Person, audience: str, word: str, level: int, ends: bool
    ) -> None:
        """Say a thing in a message, whether it is known already or not."""
        fields = {"food_name": word, "preference": level}
        ts, formed = self.form(person, audience, [(fields, None)], ends=ends)
        [change] = formed.changes
        said = Said(audience, fields, ts, ends=ends, at=float(ts))
        self.take(person, change, self.models[person].about_or_new(word), [said])

    @rule(
        person=PERSONS, word=WORDS, level=LEVELS, audience=st.sampled_from([DM, PUBLIC])
    )
    def add(self, person: Person, word: str, level: int, audience: str) -> None:
        """Write a memory by a command."""
        fields = {"food_name": word, "preference": level}
        given = [(fields, PersonMessage(actor="command", text="x"))]
        own = person.namespace(audience)
        [change] = self.do(add_memories(self.pool, self.embedder, own, KIND, given))
        said = Said(audience, fields, at=datetime.now(UTC).timestamp())
        self.take(person, change, self.models[person].about_or_new(word), [said])

    @rule(person=PERSONS, place=PLACES, level=LEVELS, audience=AUDIENCES)
    def correct(self, person: Person, place: int, level: int, audience: str) -> None:
        """Say more about a memory in a conversation that knows it."""
        thing = self.models[person].pick(place)
        if thing is None or (row := self.row(person, thing.word, audience)) is None:
            return
        note = f"note {next(NUMBERS)}"
        content = {**row.content, "preference": level, "description": note}
        inherits = thing.ends(audience)
        ts, formed = self.form(person, audience, [(content, row)])
        values = {
            name: value for name, value in content.items() if value != row.content[name]
        }
        fields = {"food_name": thing.word, **values}
        said = Said(audience, fields, ts, ends=inherits, at=float(ts))
        self.take(person, formed.changes[0], thing, [said])

    @rule(person=PERSONS, place=PLACES, level=LEVELS)
    def edit(self, person: Person, place: int, level: int) -> None:
        """Edit a memory in a form, which says it to whoever knows the field."""
        thing = self.models[person].pick(place)
        if thing is None:
            return
        whole = thing.known(DM)
        assert whole is not None
        fields = {"preference": level, "description": f"note {next(NUMBERS)}"}
        changed = {
            name: value for name, value in fields.items() if whole[name] != value
        }
        ends = thing.ends()
        by_audience = {DM: changed}
        for audience in self.others(thing):
            known = thing.fields_known(audience)
            by_audience[audience] = {n: v for n, v in changed.items() if n in known}
        [change] = self.fill_in(person, thing, {**whole, **fields})
        at = datetime.now(UTC).timestamp()
        said = [
            Said(audience, {"food_name": thing.word, **values}, ends=ends, at=at)
            for audience, values in by_audience.items()
            if values or audience == DM
        ]
        self.take(person, change, thing, said)

    def fill_in(
        self, person: Person, thing: Thing, content: dict[str, Any]
    ) -> list[Change]:
        """Fill in the form of a memory."""
        origin = PersonMessage(actor="modal", text="typed")
        key = self.key(person, thing)
        work = edit_memory(self.pool, self.embedder, person, key, content, origin)
        changes: list[Change] = self.do(work)
        return changes

    @staticmethod
    def others(thing: Thing) -> list[str]:
        """Return the audiences besides direct messages that know a memory."""
        return [one for one in (PUBLIC, "G1") if thing.known(one) is not None]

    @rule(person=PERSONS, place=PLACES, other=WORDS, level=LEVELS)
    def rename(self, person: Person, place: int, other: str, level: int) -> None:
        """Edit a memory so that it is about something else."""
        thing = self.models[person].pick(place)
        if thing is None or thing.word == other:
            return
        whole = thing.known(DM)
        assert whole is not None
        changed: dict[str, Any] = {"food_name": other}
        if whole["preference"] != level:
            changed["preference"] = level
        by_audience = {DM: changed}
        for audience in self.others(thing):
            known = thing.fields_known(audience)
            by_audience[audience] = {n: v for n, v in changed.items() if n in known}
        ends = thing.ends()
        changes = self.fill_in(person, thing, {**whole, **changed})
        at = datetime.now(UTC).timestamp()
        said = [
            Said(audience, fields, ends=ends, at=at)
            for audience, fields in by_audience.items()
        ]
        self.take_name(person, changes, thing, other, said)

    @rule(person=PERSONS, place=PLACES, other=WORDS, level=LEVELS, audience=AUDIENCES)
    def rename_in_a_message(
        self, person: Person, place: int, other: str, level: int, audience: str
    ) -> None:
        """Say in a conversation that knows a memory that it is about something else."""
        thing = self.models[person].pick(place)
        if thing is None or thing.word == other:
            return
        row = self.row(person, thing.word, audience)
        if row is None:
            return
        content = {**row.content, "food_name": other, "preference": level}
        ts, formed = self.form(person, audience, [(content, row)])
        fields = {
            name: value for name, value in content.items() if value != row.content[name]
        }
        said = [Said(audience, fields, ts, at=float(ts))]
        self.take_name(person, formed.changes, thing, other, said)

    def take_name(
        self,
        person: Person,
        changes: Sequence[Change],
        thing: Thing,
        other: str,
        said: list[Said],
    ) -> None:
        """Take into the model that a memory is about `other`, of which something was said or not.

        If it was, the memory is taken back, and what each audience knew of it is said of that.
        """
        known_as = self.models[person].about(other)
        if known_as is None:
            [change] = changes
            self.take(person, change, thing, said)
            return
        left, joined = changes
        for one in said:
            known = thing.known(one.audience) or {}
            before = {name: value for name, value in known.items() if value is not None}
            one.fields = {**before, **(one.fields or {})}
        first = said[0]
        removal = Said(
            first.audience, None, first.message, ends=first.ends, at=first.at
        )
        self.take(person, left, thing, [removal])
        self.take(person, joined, known_as, said)

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
        row = self.row(person, thing.word, DM)
        assert row is not None
        inherits = thing.ends()
        content = {**row.content, "preference": level}
        ts, formed = self.form(person, DM, [(content, row)], asks=True)
        [question] = formed.questions
        work = answer_question(self.pool, self.embedder, person, question.id, answer)
        values = {
            name: value for name, value in content.items() if value != row.content[name]
        }
        for change in self.do(work):
            at = datetime.now(UTC).timestamp()
            fields = {"food_name": thing.word, **values}
            ends = inherits and bool(values)
            self.take(person, change, thing, [Said(DM, fields, ts, ends=ends, at=at)])
        with pytest.raises(ChangeGone):
            self.do(
                answer_question(self.pool, self.embedder, person, question.id, answer)
            )

    @rule(person=PERSONS, place=PLACES, audience=AUDIENCES)
    def retract(self, person: Person, place: int, audience: str) -> None:
        """Say that a memory does not hold any more, where it is known."""
        thing = self.models[person].pick(place)
        if thing is None or (row := self.row(person, thing.word, audience)) is None:
            return
        ts, formed = self.form(person, audience, [(None, row)])
        said = Said(audience, None, ts, at=float(ts))
        self.take(person, formed.changes[0], thing, [said])

    @rule(person=PERSONS, place=PLACES, audience=AUDIENCES)
    def move(self, person: Person, place: int, audience: str) -> None:
        """Let a memory be used elsewhere."""
        thing = self.models[person].pick(place)
        if thing is None:
            return
        others = self.others(thing)
        key = self.key(person, thing)
        work = move_memory(self.pool, self.embedder, person, key, audience)
        if others == [audience] or (not others and audience == DM):
            with pytest.raises(ChangedSince):
                self.do(work)
            return
        now = datetime.now(UTC).timestamp()
        said = Said(audience, None, typed=False, moves=True, at=now)
        self.take(person, self.do(work), thing, [said])

    @rule(person=PERSONS, place=PLACES)
    def undo(self, person: Person, place: int) -> None:
        """Undo any change, perhaps once more."""
        model = self.models[person]
        if not model.changes:
            return
        identity = [*model.changes][place % len(model.changes)]
        named = model.changes[identity]
        # Of a change whose memory has joined another one that counts which is named.
        left = [
            one
            for thing in model.things
            if named in thing.said
            for one in thing.said
            if one.batch == named.batch and not (one.moves and thing.moves_nothing(one))
        ]
        counted = not all(one.withdrawn for one in left)
        done = self.do(undo_changes(self.pool, self.embedder, person, ids=[identity]))
        assert len(done) == counted
        for one in left:
            one.withdrawn = True
        model.join()

    @rule(person=PERSONS, place=PLACES, what=st.sampled_from(["one", "message", "all"]))
    def forget(self, person: Person, place: int, what: str) -> None:
        """Forget a memory, a message or everything."""
        model = self.models[person]
        before = model.remembered()
        if what == "one":
            thing = model.pick(place)
            if thing is None:
                return
            selection = Selection(keys=[self.key(person, thing)])
            hidden = {thing: thing.said}
        elif what == "all":
            selection = Selection(everything=True)
            hidden = {thing: thing.said for thing in model.things}
        else:
            if not model.messages:
                return
            ts = [*model.messages][place % len(model.messages)]
            selection = Selection(messages=[(model.messages[ts], ts)])
            hidden = {
                thing: [one for one in thing.said if one.message == ts]
                for thing in model.things
            }
        for thing, said in hidden.items():
            thing.said = [one for one in thing.said if one not in said]
        model.join()
        done = self.do(forget(self.pool, person, selection))
        assert len(done.memories) == len([one for one in before if one.word is None])
        assert done.can_undo == any(hidden.values())
        if done.can_undo:
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
        work = undo_forgetting(self.pool, self.embedder, person, identity)
        if not any(hidden.values()):  # its messages were deleted
            with pytest.raises(ChangeGone):
                self.do(work)
            return
        self.do(work)
        for thing, said in hidden.items():
            thing.said += said
        model.join()
        with pytest.raises(ChangeGone):
            self.do(undo_forgetting(self.pool, self.embedder, person, identity))
        for one in self.do(open_questions(self.pool, person)):
            self.do(answer_question(self.pool, self.embedder, person, one.id, "no"))

    @rule(person=PERSONS, place=PLACES, edited=st.booleans())
    def delete_message(self, person: Person, place: int, edited: bool) -> None:
        """Delete a message in Slack, or edit it so that it says nothing of it any more."""
        model = self.models[person]
        if not model.messages:
            return
        ts = [*model.messages][place % len(model.messages)]
        channel = model.messages[ts]
        words = (
            PersonMessage(text="Never mind.", channel=channel, ts=ts)
            if edited
            else None
        )
        self.do(delete_unsaid(self.pool, self.embedder, person, (channel, ts), words))
        for thing, said in [*model.all_said()]:
            left = [
                one for one in said if one.message != ts or (edited and one.blanked)
            ]
            # A thing of which nobody has typed anything any more goes.
            if not edited and not any(
                one.typed and one.fields is not None for one in left
            ):
                left = []
            if any(one.message == ts for one in said):
                for statements in (thing.said, *self.hidden(model, thing)):
                    statements[:] = [one for one in statements if one in left]
        model.join()
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
        for thing in model.things:
            thing.said = [one for one in thing.said if not one.ends]
        model.join()

    @rule()
    def purge(self) -> None:
        """Let ten minutes pass: what was forgotten is in no column of any table."""
        with psycopg.connect(self.world.database, autocommit=True) as owner:
            owner.execute(
                "UPDATE statements SET forgotten_at = now() - interval '11 minutes'"
                " WHERE forgotten_id IS NOT NULL"
            )
            self.do(expire_due(self.pool))
            tables = owner.execute(
                "SELECT relname FROM pg_class WHERE relkind = 'r'"
                " AND relnamespace = 'public'::regnamespace"
            ).fetchall()
            everything = "\n".join(
                str(row)
                for [table] in tables
                for row in owner.execute(f"TABLE {table}")
            )
        for model in self.models.values():
            for states in model.forgotten.values():
                said = [one for several in states.values() for one in several]
                gone = {one.message for one in said} - {""}
                model.gone |= {quote(ts) for ts in gone}
                for thing in model.things:
                    for one in thing.said:
                        one.blanked |= one.message in gone
            model.forgotten.clear()
            assert [word for word in model.gone if word in everything] == []

    # --- what must hold

    @invariant()
    def each_audience_knows_its_own(self) -> None:
        """Every view is that of the model, and nothing is remembered twice."""
        for person, model in self.models.items():
            rows = self.do(list_memories(self.pool, person))
            assert len({row.key for row in rows}) == len(rows)
            assert {
                row.content["food_name"]: (
                    row.content,
                    {*row.audiences},
                    row.expires_at is not None,
                )
                for row in rows
            } == {
                thing.word: (
                    thing.known(DM),
                    {*self.others(thing)},
                    thing.ends(),
                )
                for thing in model.remembered()
            }
            assert len(rows) == len(model.remembered())
            for audience in (PUBLIC, "G1"):
                view = memory_view(person.namespace(audience))
                seen = self.do(recall_memories(self.pool, self.embedder, view, "food"))
                expected = {}
                for thing in model.remembered():
                    shown: dict[str, Any] = {}
                    for known in (thing.known(PUBLIC), thing.known(audience)):
                        said = known or {}
                        shown |= {n: v for n, v in said.items() if v is not None}
                    if shown:
                        expected[thing.word] = {**dict.fromkeys(FIELDS), **shown}
                assert {
                    one.content["food_name"]: one.content for one in seen.memories
                } == expected


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for all sequences."""
    with asyncio.Runner() as made:
        yield made


def test_any_sequence_leaves_what_the_model_says(
    runner: asyncio.Runner, database: str
) -> None:
    """Two people in three audiences do anything in any order: 2,025 steps."""

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

    try:
        run_state_machine_as_test(
            Here,
            settings=settings(
                max_examples=45,
                stateful_step_count=45,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        runner.run(closed())
