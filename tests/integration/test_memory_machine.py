"""Any sequence of what people do with memories leaves what a model of what they said leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator
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
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

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
    Origin,
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
    redo_changes,
    undo_changes,
    undo_forgetting,
)
from memory.formation import follow_message
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
    """One thing that was said about a food; without `fields` it was taken back, or moved."""

    audience: str
    fields: dict[str, Any] | None
    message: str = ""  # the ts; "" for a form
    typed: bool = True
    moves: bool = False
    ends: bool = False
    withdrawn: bool = False
    at: float = 0.0


@dataclass
class Model:
    """One person: what was said about each food, in the order in which it was stored."""

    things: dict[str, list[Said]] = field(default_factory=dict)
    changes: dict[UUID, tuple[str, list[Said]]] = field(default_factory=dict)
    forgotten: dict[UUID, dict[str, list[Said]]] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)  # ts: channel
    gone: set[str] = field(default_factory=set)

    def known(self, word: str, audience: str) -> dict[str, Any] | None:
        """Return what an audience knows about a food."""
        heard = self.heard(word)
        whole = summed(heard)
        if audience == DM or whole is None:
            return whole
        there = [one for one in heard if one[0] == audience or one[1].fields is None]
        content = summed(there)
        if content is None:
            return None
        true = all(whole[name] == value for name, value in content.items() if value is not None)
        return content if true else None

    def heard(self, word: str) -> list[tuple[str, Said]]:
        """Return what counts about a food, each with the audience that knows it."""
        counted = [one for one in self.things.get(word, []) if not one.withdrawn]
        placed: list[tuple[str, Said]] = []
        for one in counted:
            if one.moves:
                placed = [(one.audience, earlier) for _, earlier in placed]
            else:
                placed.append((one.audience, one))
        return placed

    def ending(self, word: str, audience: str = DM) -> bool:
        """Return whether what an audience knows ends with a statement that ends."""
        there = [
            one for one in self.heard(word) if audience in (DM, one[0]) or one[1].fields is None
        ]
        return summed([one for one in there if not one[1].ends]) != summed(there)

    def words(self) -> list[str]:
        """Return the foods that are remembered."""
        return [word for word in self.things if self.known(word, DM) is not None]

    def pick(self, place: int) -> str | None:
        """Return one of the foods that are remembered."""
        words = self.words()
        return words[place % len(words)] if words else None


def summed(heard: Iterable[tuple[str, Said]]) -> dict[str, Any] | None:
    """Return the content that these amount to, taken in the order in which they were said."""
    content: dict[str, Any] | None = None
    for _, one in sorted(heard, key=lambda pair: pair[1].at):
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
            owner.execute("TRUNCATE store, store_vectors, statements, proposals, forgotten_sources")
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

    def row(self, person: Person, word: str, audience: str) -> Memory | None:
        """Return a memory as a conversation knows it."""
        view = memory_view(person.namespace(audience), shared=True)
        found = self.do(recall_memories(self.pool, self.embedder, view, word))
        return next((one for one in found.memories if one.content["food_name"] == word), None)

    def key(self, person: Person, word: str) -> str:
        """Return the key of a memory that is remembered."""
        row = self.row(person, word, DM)
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

    def take(self, person: Person, change: Change, word: str, said: list[Said]) -> None:
        """Take what a change says into the model."""
        model = self.models[person]
        model.things.setdefault(word, []).extend(said)
        model.changes[change.id] = (word, said)

    # --- what people do

    @rule(person=PERSONS, audience=AUDIENCES, word=WORDS, level=LEVELS, ends=st.booleans())
    def remember(self, person: Person, audience: str, word: str, level: int, ends: bool) -> None:
        """Say a thing in a message, whether it is known already or not."""
        ts, formed = self.form(
            person, audience, [({"food_name": word, "preference": level}, None)], ends=ends
        )
        [change] = formed.changes
        fields = {"food_name": word, "preference": level}
        said = Said(audience, fields, ts, ends=ends, at=float(ts))
        self.take(person, change, word, [said])

    @rule(person=PERSONS, word=WORDS, level=LEVELS, audience=st.sampled_from([DM, PUBLIC]))
    def add(self, person: Person, word: str, level: int, audience: str) -> None:
        """Write a memory by a command."""
        given = [({"food_name": word, "preference": level}, Origin(actor="command", evidence="x"))]
        own = person.namespace(audience)
        [change] = self.do(add_memories(self.pool, self.embedder, own, KIND, given))
        fields = {"food_name": word, "preference": level}
        said = Said(audience, fields, at=datetime.now(UTC).timestamp())
        self.take(person, change, word, [said])

    @rule(person=PERSONS, place=PLACES, level=LEVELS, audience=AUDIENCES)
    def correct(self, person: Person, place: int, level: int, audience: str) -> None:
        """Say more about a memory in a conversation that knows it."""
        model = self.models[person]
        word = model.pick(place)
        if word is None or (row := self.row(person, word, audience)) is None:
            return
        note = f"note {next(NUMBERS)}"
        content = {**row.content, "preference": level, "description": note}
        inherits = model.ending(word, audience)
        ts, formed = self.form(person, audience, [(content, row)])
        values = {name: value for name, value in content.items() if value != row.content[name]}
        said = Said(audience, {"food_name": word, **values}, ts, ends=inherits, at=float(ts))
        self.take(person, formed.changes[0], word, [said])

    @rule(person=PERSONS, place=PLACES, level=LEVELS)
    def edit(self, person: Person, place: int, level: int) -> None:
        """Edit a memory in a form, which says it to whoever knows the field."""
        model = self.models[person]
        if (word := model.pick(place)) is None:
            return
        whole = model.known(word, DM)
        assert whole is not None
        fields = {"preference": level, "description": f"note {next(NUMBERS)}"}
        changed = {name: value for name, value in fields.items() if whole[name] != value}
        ends = model.ending(word)
        origin = Origin(actor="modal", evidence="typed")
        by_audience = {DM: changed}
        for audience in (PUBLIC, "G1"):
            if model.known(word, audience) is not None:
                heard = [one for place, one in model.heard(word) if place == audience]
                known = {name for one in heard for name in (one.fields or {})}
                by_audience[audience] = {n: v for n, v in changed.items() if n in known}
        [change] = self.do(
            edit_memory(
                self.pool,
                self.embedder,
                person,
                self.key(person, word),
                {**whole, **fields},
                origin,
            )
        )
        at = datetime.now(UTC).timestamp()
        said = [
            Said(audience, {"food_name": word, **values}, ends=ends, at=at)
            for audience, values in by_audience.items()
            if values or audience == DM
        ]
        self.take(person, change, word, said)

    @rule(person=PERSONS, place=PLACES, other=WORDS, level=LEVELS)
    def rename(self, person: Person, place: int, other: str, level: int) -> None:
        """Edit a memory so that it is about a thing that something was said of: it joins that."""
        model = self.models[person]
        word = model.pick(place)
        if word is None or word == other or not model.things.get(other):
            return
        origin = Origin(actor="modal", evidence="typed")
        whole = model.known(word, DM)
        assert whole is not None
        by_audience = {DM: whole}
        for audience in (PUBLIC, "G1"):
            if (known := model.known(word, audience)) is not None:
                by_audience[audience] = known
        content = {**whole, "food_name": other, "preference": level}
        key = self.key(person, word)
        work = edit_memory(self.pool, self.embedder, person, key, content, origin)
        left, joined = self.do(work)
        at = datetime.now(UTC).timestamp()
        self.take(person, left, word, [Said(DM, None, at=at)])
        said = []
        for audience, known in by_audience.items():
            fields = {name: value for name, value in known.items() if value is not None}
            if audience == DM or "preference" in fields:
                fields["preference"] = level
            said.append(Said(audience, {**fields, "food_name": other}, at=at))
        self.take(person, joined, other, said)

    @rule(person=PERSONS, place=PLACES, level=LEVELS, answer=st.sampled_from(["yes", "no"]))
    def ask(self, person: Person, place: int, level: int, answer: str) -> None:
        """Leave a question about a memory, and answer it."""
        model = self.models[person]
        if (word := model.pick(place)) is None:
            return
        row = self.row(person, word, DM)
        assert row is not None
        inherits = model.ending(word)
        content = {**row.content, "preference": level}
        ts, formed = self.form(person, DM, [(content, row)], asks=True)
        [question] = formed.questions
        work = answer_question(self.pool, self.embedder, person, question.id, answer)
        values = {name: value for name, value in content.items() if value != row.content[name]}
        for change in self.do(work):
            at = datetime.now(UTC).timestamp()
            fields = {"food_name": word, **values}
            ends = inherits and bool(values)
            self.take(person, change, word, [Said(DM, fields, ts, ends=ends, at=at)])
        with pytest.raises(ChangeGone):
            self.do(answer_question(self.pool, self.embedder, person, question.id, answer))

    @rule(person=PERSONS, place=PLACES, audience=AUDIENCES)
    def retract(self, person: Person, place: int, audience: str) -> None:
        """Say that a memory does not hold any more, where it is known."""
        model = self.models[person]
        word = model.pick(place)
        if word is None or (row := self.row(person, word, audience)) is None:
            return
        ts, formed = self.form(person, audience, [(None, row)])
        said = Said(audience, None, ts, at=float(ts))
        self.take(person, formed.changes[0], word, [said])

    @rule(person=PERSONS, place=PLACES, audience=AUDIENCES)
    def move(self, person: Person, place: int, audience: str) -> None:
        """Let a memory be used elsewhere."""
        model = self.models[person]
        if (word := model.pick(place)) is None:
            return
        others = [one for one in (PUBLIC, "G1") if model.known(word, one) is not None]
        work = move_memory(self.pool, self.embedder, person, self.key(person, word), audience)
        if others == [audience] or (not others and audience == DM):
            with pytest.raises(ChangedSince):
                self.do(work)
            return
        said = Said(audience, None, typed=False, moves=True)
        self.take(person, self.do(work), word, [said])

    @rule(person=PERSONS, place=PLACES)
    def undo(self, person: Person, place: int) -> None:
        """Undo any change, or take its Undo back."""
        model = self.models[person]
        if not model.changes:
            return
        identity = [*model.changes][place % len(model.changes)]
        word, said = model.changes[identity]
        left = [one for one in said if one in model.things.get(word, [])]
        if all(one.withdrawn for one in left):
            done = self.do(redo_changes(self.pool, self.embedder, person, [identity]))
        else:
            done = self.do(undo_changes(self.pool, self.embedder, person, ids=[identity]))
        assert len(done) == bool(left and said[0] in left)
        if done:
            withdraw = not all(one.withdrawn for one in left)
            for one in left:
                one.withdrawn = withdraw

    @rule(person=PERSONS, place=PLACES, what=st.sampled_from(["one", "message", "all"]))
    def forget(self, person: Person, place: int, what: str) -> None:
        """Forget a memory, a message or everything."""
        model = self.models[person]
        before = set(model.words())
        if what == "one":
            word = model.pick(place)
            if word is None:
                return
            selection = Selection(keys=[self.key(person, word)])
            hidden = {word: model.things.pop(word)}
        elif what == "all":
            selection = Selection(everything=True)
            hidden = model.things
            model.things = {}
        else:
            if not model.messages:
                return
            ts = [*model.messages][place % len(model.messages)]
            selection = Selection(messages=[(model.messages[ts], ts)])
            hidden = self._hide(model, ts)
        done = self.do(forget(self.pool, person, selection))
        assert done.count == len(before - set(model.words()))
        assert done.can_undo == any(hidden.values())
        if done.can_undo:
            model.forgotten[done.id] = {word: said for word, said in hidden.items() if said}

    @staticmethod
    def _hide(model: Model, ts: str) -> dict[str, list[Said]]:
        hidden = {}
        for word, said in model.things.items():
            hidden[word] = [one for one in said if one.message == ts]
            model.things[word] = [one for one in said if one.message != ts]
        return hidden

    @rule(person=PERSONS, place=PLACES)
    def unforget(self, person: Person, place: int) -> None:
        """Take a forgetting back, whatever was said in the meantime."""
        model = self.models[person]
        if not model.forgotten:
            return
        identity = [*model.forgotten][place % len(model.forgotten)]
        states = model.forgotten.pop(identity)
        work = undo_forgetting(self.pool, self.embedder, person, identity)
        if not any(states.values()):  # its messages were deleted
            with pytest.raises(ChangeGone):
                self.do(work)
            return
        self.do(work)
        for word, said in states.items():
            model.things[word] = [*said, *model.things.get(word, [])]
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
        words = PersonMessage(text="Never mind.", channel=channel, ts=ts) if edited else None
        self.do(follow_message(self.pool, self.embedder, person, (channel, ts), words))
        for things in (model.things, *model.forgotten.values()):
            for word, said in things.items():
                left = [one for one in said if one.message != ts]
                if len(left) < len(said):
                    things[word] = left
        self._drop_clicks(model)
        model.gone.add(quote(ts))

    @staticmethod
    def _drop_clicks(model: Model) -> None:
        """Drop what is left of a thing of which nobody has typed anything any more."""
        for word in FOODS:
            everywhere = [model.things, *model.forgotten.values()]
            said = [one for things in everywhere for one in things.get(word, [])]
            if said and not any(one.typed and one.fields is not None for one in said):
                for things in everywhere:
                    things.pop(word, None)

    @rule(person=PERSONS)
    def expire(self, person: Person) -> None:
        """Let what ends end: what was true before is true again."""
        model = self.models[person]
        before = set(model.words())
        with psycopg.connect(self.world.database) as owner:
            owner.execute(
                "UPDATE statements SET until = now() - interval '1 second'"
                " WHERE until IS NOT NULL AND forgotten_id IS NULL AND user_id = %s",
                [person.user_id],
            )
        gone = self.do(expire_due(self.pool))
        for word, said in model.things.items():
            model.things[word] = [one for one in said if not one.ends]
        assert len(set(gone)) >= len(before - set(model.words()))

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
                str(row) for [table] in tables for row in owner.execute(f"TABLE {table}")
            )
        for model in self.models.values():
            for states in model.forgotten.values():
                said = [one for several in states.values() for one in several]
                left = {one.message for several in model.things.values() for one in several}
                gone = {one.message for one in said} - left - {""}
                model.gone |= {quote(ts) for ts in gone}
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
                word: (
                    model.known(word, DM),
                    {one for one in (PUBLIC, "G1") if model.known(word, one) is not None},
                    model.ending(word),
                )
                for word in model.words()
            }
            for audience in (PUBLIC, "G1"):
                view = memory_view(person.namespace(audience))
                seen = self.do(recall_memories(self.pool, self.embedder, view, "food"))
                expected = {}
                for word in model.words():
                    shown: dict[str, Any] = {}
                    for known in (model.known(word, PUBLIC), model.known(word, audience)):
                        said = known or {}
                        shown |= {n: v for n, v in said.items() if v is not None}
                    if shown:
                        expected[word] = {**dict.fromkeys(FIELDS), **shown}
                assert {one.content["food_name"]: one.content for one in seen.memories} == expected


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for all sequences."""
    with asyncio.Runner() as made:
        yield made


def test_any_sequence_leaves_what_the_model_says(runner: asyncio.Runner, database: str) -> None:
    """Two people in three audiences do anything in any order: 2,025 steps."""

    async def opened() -> tuple[Any, openai.AsyncOpenAI, Pool]:
        serving = scripted_model()
        served = await serving.__aenter__()
        client = openai.AsyncOpenAI(api_key="none", base_url=served.base_url, max_retries=0)
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
