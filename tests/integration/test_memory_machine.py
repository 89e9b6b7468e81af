"""Any sequence of what people do with memories leaves what a model in a hundred lines says."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
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
    Person,
    PersonMessage,
    Pool,
    Selection,
    add_memories,
    answer_question,
    create_pool,
    edit_memory,
    forget,
    list_changes,
    list_memories,
    memory_view,
    move_memory,
    recall_memories,
    undo_changes,
    undo_forgetting,
)
from memory.formation import source_changed
from memory.formation.commit import commit
from memory.formation.evidence import Evidence, TypedMessage
from memory.formation.proposal import Proposal, Verdict
from memory.store import expire_due
from memory.store.edits import MAX_SOURCES
from memory.store.memories import Memory
from tests.databases import SPACE, login_of
from tests.integration.scripted_model import scripted_model
from tests.memories import no_model

KIND = "UserFoodPreference"
CHANNELS = {DM: "D1", PUBLIC: "C1", "G1": "G1"}
PEOPLE = (Person("T1", "U1"), Person("T1", "U12"))
FIELDS = ("food_name", "cuisine", "preference", "description")
START = 1_700_000_000
NUMBERS = count(START)
PERSONS, AUDIENCES = st.sampled_from(PEOPLE), st.sampled_from([*CHANNELS])
PLACES, LEVELS = st.integers(0, 30), st.integers(1, 99)


@dataclass(frozen=True, eq=False)
class State:
    """A memory: what each message (or form, without a ts) said of it, one after the other."""

    audience: str
    word: str
    said: tuple[tuple[str, dict[str, Any]], ...]
    ends: bool = False
    confirmed: str = ""  # the message that said it last, deleted or not

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = {**dict.fromkeys(FIELDS), "food_name": self.word}
        for _, fields in self.said:
            content |= fields
        return content

    @property
    def messages(self) -> set[str]:
        return {ts for ts, _ in self.said if ts}

    def with_(self, ts: str, **fields: Any) -> State:
        new = {name: value for name, value in fields.items() if value != self.content[name]}
        return replace(self, said=(*self.said, (ts, new)), confirmed=ts or self.confirmed)

    def without(self, ts: str) -> State | None:
        left = tuple(one for one in self.said if one[0] != ts)
        # The first message says the end, and it goes with it.
        ends = self.ends and self.said[0][0] != ts
        return replace(self, said=left, ends=ends) if left else None


@dataclass
class Model:
    """One person: what is remembered by key, changes by id, forgettings, questions, messages."""

    now: dict[str, State] = field(default_factory=dict)
    made: dict[UUID, tuple[str, State | None, State | None]] = field(default_factory=dict)
    forgotten: dict[UUID, dict[str, State]] = field(default_factory=dict)
    asked: dict[str, tuple[UUID, dict[str, Any], int, str, set[str]]] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)  # ts: channel
    deleted: set[str] = field(default_factory=set)
    ever: dict[str, set[str]] = field(default_factory=dict)  # the messages of each key
    unquoted: set[tuple[str, str]] = field(default_factory=set)  # key and message
    gone: set[str] = field(default_factory=set)  # words and quotes that nothing holds after a purge

    def take(self, change: Change, after: State | None) -> None:
        """Take a change into the model."""
        self.made[change.id] = (change.key, self.now.pop(change.key, None), after)
        if after is not None:
            self.now[change.key] = after
            self.ever.setdefault(change.key, set()).update(after.messages)

    def undo(self, change: UUID) -> tuple[str, State | None] | None:
        """Return what an Undo leaves, None if it is refused."""
        key, before, after = self.made[change]
        same = value_of(self.now.get(key)) == value_of(after)  # moved away and back is the same
        return (key, before) if same and before is not after else None

    def forget(self, identity: UUID, keys: set[str]) -> None:
        """Forget memories; the changes of others that may have gone with them are not undone."""
        self.forgotten[identity] = {key: self.now.pop(key) for key in keys if key in self.now}
        self.made.clear()
        said = {ts for key in keys for ts in self.ever.get(key, ())}
        self.unquoted |= {(k, ts) for k in {*self.ever} - keys for ts in self.ever[k] & said}
        self.asked = {k: a for k, a in self.asked.items() if k not in keys and not a[4] & said}

    def delete(self, ts: str, edited: bool) -> dict[str, State | None]:
        """Return what the memories of a deleted message become; an edit leaves those unquoted."""
        self.deleted.add(ts)
        self.asked = {key: asked for key, asked in self.asked.items() if ts not in asked[4]}
        return {
            key: state.without(ts)
            for key, state in self.now.items()
            if ts in state.messages and not (edited and (key, ts) in self.unquoted)
        }

    def purge(self) -> set[str]:
        """End every Undo; return the words and quotes of what is gone."""
        for states in self.forgotten.values():
            self.gone |= {state.word for state in states.values()}
            self.gone |= {quote(ts) for state in states.values() for ts in state.messages}
        self.forgotten.clear()
        self.gone |= {quote(ts) for ts in self.deleted}
        return self.gone

    def pick(self, place: int) -> str | None:
        """Return a key; they are in the order of their first change, not of their random values."""
        keys = [key for key in self.ever if key in self.now]
        return keys[place % len(keys)] if keys else None


def value_of(state: State | None) -> object:
    """Return what is stored of a state."""
    return state and (state.audience, state.content, state.messages, state.ends, state.confirmed)


def quote(ts: str) -> str:
    """Return a word that only the message with this ts has."""
    return f"quote{ts.partition('.')[0]}"


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
                "TRUNCATE store, store_vectors, memory_versions, forgotten_versions,"
                " memory_questions, forgotten_sources"
            )
        self.models = {person: Model() for person in PEOPLE}

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine."""
        return self.world.run(work)

    def say(self, person: Person, audience: str, *, asks: bool = False, ends: bool = False) -> Any:
        """Return what a new message of a person proposes: a function of content and target."""
        ts, channel = f"{next(NUMBERS)}.000100", CHANNELS[audience]
        self.models[person].messages[ts] = channel
        words = PersonMessage(text=f"I love this {quote(ts)}", channel=channel, ts=ts)
        evidence = Evidence(message=TypedMessage(words), text=words.text)
        until = datetime.now(UTC).date() + timedelta(days=9) if ends else None

        def proposed(content: dict[str, Any] | None, target: Memory | None = None) -> Proposal:
            return Proposal(
                kind=KIND,
                content=content or {},
                said=content or {},
                evidence=evidence,
                target=target,
                removes=content is None,
                verdict=Verdict(
                    index=0,
                    supported=True,
                    about="speaker",
                    modality="asserted",
                    conflict="unclear" if asks else "none",
                    valid_until=until,
                ),
            )

        return ts, proposed

    def form(self, person: Person, audience: str, *proposals: Proposal) -> FormationResult:
        """Commit judged proposals."""
        own, former = person.namespace(audience), self.world.former
        formed = self.do(commit(former.pool, former.embedder, own, proposals))
        assert isinstance(formed, FormationResult)
        assert not formed.refused
        return formed

    def row(self, person: Person, key: str) -> Memory:
        """Return a stored memory."""
        found: list[Memory] = self.do(list_memories(self.world.pool, person))
        return next(one for one in found if one.key == key)

    @rule(person=PERSONS, audience=AUDIENCES, two=st.booleans(), level=LEVELS, ends=st.booleans())
    def remember(self, person: Person, audience: str, two: bool, level: int, ends: bool) -> None:
        """Say one or two new things in a message."""
        ts, proposed = self.say(person, audience, ends=ends)
        words = [f"food{next(NUMBERS)}" for _ in range(1 + two)]
        none = dict.fromkeys(FIELDS)
        contents = [{**none, "food_name": word, "preference": level} for word in words]
        formed = self.form(person, audience, *map(proposed, contents))
        for word, change in zip(words, formed.changes, strict=True):
            state = State(audience, word, ((ts, {"preference": level}),), ends, ts)
            self.models[person].take(change, state)

    @rule(person=PERSONS, level=LEVELS)
    def add(self, person: Person, level: int) -> None:
        """Write a memory by a command."""
        word = f"food{next(NUMBERS)}"
        given = [({"food_name": word, "preference": level}, {"kind": "command"})]
        own = person.namespace(DM)
        [change] = self.do(
            add_memories(self.world.pool, self.world.former.embedder, own, KIND, given)
        )
        self.models[person].take(change, State(DM, word, (("", {"preference": level}),)))

    @rule(person=PERSONS, place=PLACES, level=LEVELS, how=st.sampled_from(["say", "ask", "edit"]))
    def correct(self, person: Person, place: int, level: int, how: str) -> None:
        """Say or write more about a memory, or leave a question about it."""
        model = self.models[person]
        if (key := model.pick(place)) is None or len(model.now[key].said) == MAX_SOURCES:
            return
        state, note = model.now[key], f"note {next(NUMBERS)}"
        fields = {"preference": level, "description": note}
        if how == "edit":
            content = {**state.content, **fields}
            change = self.do(
                edit_memory(
                    self.world.pool,
                    self.world.former.embedder,
                    person,
                    key,
                    content,
                    {"kind": "modal"},
                )
            )
            model.take(change, state.with_("", **fields))
            return
        ts, proposed = self.say(person, state.audience, asks=how == "ask")
        proposal = proposed({**state.content, **fields}, self.row(person, key))
        formed = self.form(person, state.audience, proposal)
        if how == "ask":
            quoted = {ts, *state.messages}
            model.asked[key] = (formed.questions[0].id, state.content, level, ts, quoted)
            model.messages[f"{ts} {note}"] = ""
        else:
            model.take(formed.changes[0], state.with_(ts, **fields))

    @rule(person=PERSONS, place=PLACES, answer=st.sampled_from(["yes", "no"]))
    def answer(self, person: Person, place: int, answer: Any) -> None:
        """Answer an open question."""
        model = self.models[person]
        if not model.asked:
            return
        key = [*model.asked][place % len(model.asked)]
        question, content, level, ts, _ = model.asked.pop(key)
        state = model.now.get(key)
        work = answer_question(
            self.world.pool, self.world.former.embedder, person, question, answer
        )
        if answer == "yes" and (state is None or state.content != content):
            with pytest.raises(ChangedSince):
                self.do(work)
            return
        for change in self.do(work):
            assert state is not None
            note = change.after["content"]["description"]
            model.take(change, state.with_(ts, preference=level, description=note))

    @rule(person=PERSONS, place=PLACES)
    def retract(self, person: Person, place: int) -> None:
        """Say that a memory does not hold any more."""
        model = self.models[person]
        if key := model.pick(place):
            _, proposed = self.say(person, model.now[key].audience)
            audience = model.now[key].audience
            formed = self.form(person, audience, proposed(None, self.row(person, key)))
            model.take(formed.changes[0], None)

    @rule(person=PERSONS, place=PLACES, audience=AUDIENCES)
    def move(self, person: Person, place: int, audience: str) -> None:
        """Let a memory be used elsewhere."""
        model = self.models[person]
        if (key := model.pick(place)) and model.now[key].audience != audience:
            work = move_memory(self.world.pool, self.world.former.embedder, person, key, audience)
            model.take(self.do(work), replace(model.now[key], audience=audience))

    @rule(person=PERSONS, place=PLACES, batch=st.booleans())
    def undo(self, person: Person, place: int, batch: bool) -> None:
        """Undo a change, or the newest batch."""
        model = self.models[person]
        if not model.made:
            return
        made = [*model.made][-1 - place % len(model.made)]
        left = model.undo(made)
        pool, embedder = self.world.pool, self.world.former.embedder
        if batch:
            [change] = self.do(list_changes(pool, person, ids=[made]))
            others = [one.id for one in self.do(list_changes(pool, person, batch=change.batch))]
            expected = {}
            for one in others:
                if found := model.undo(one):
                    expected[found[0]] = found[1]
            for done in self.do(undo_changes(pool, embedder, person, batch=change.batch)):
                model.take(done, expected.pop(done.key))
            assert not expected
        else:
            undone = self.do(undo_changes(pool, embedder, person, ids=[made]))
            assert len(undone) == (left is not None)
            if left is not None:
                model.take(undone[0], left[1])

    @rule(person=PERSONS, place=PLACES, what=st.sampled_from(["one", "period", "all"]))
    def forget(self, person: Person, place: int, what: str) -> None:
        """Forget a memory, a period or everything."""
        model = self.models[person]
        times = [ts for ts in model.messages if " " not in ts]
        forgotten = {key for states in model.forgotten.values() for key in states}
        if what == "one":
            key = model.pick(place)
            keys, selection = {key} if key else set(), Selection(keys=[key] if key else ["none"])
        elif what == "all":
            keys, selection = {*model.ever} - forgotten, Selection(everything=True)
        elif not times:
            return
        else:
            ts = times[place % len(times)]
            chosen = {ts}
            moment = datetime.fromtimestamp(float(ts) - 0.0001, UTC)
            end = moment + timedelta(seconds=0.5)
            selection = Selection(since=moment, until=end)
            keys = {k for k, state in model.now.items() if state.messages & chosen}
            removed = {*model.ever} - {*model.now} - forgotten
            keys |= {key for key in removed if model.ever[key] & chosen}
            model.asked = {k: asked for k, asked in model.asked.items() if asked[3] not in chosen}
        done = self.do(forget(self.world.pool, person, selection))
        assert done.count == len(keys & {*model.now})
        if done.id is not None:
            model.forget(done.id, keys)
            if not done.can_undo:
                assert model.forgotten.pop(done.id) == {}
            if what == "all":
                model.asked.clear()

    @rule(person=PERSONS, place=PLACES)
    def unforget(self, person: Person, place: int) -> None:
        """Take a forgetting back; messages that were deleted meanwhile are taken from it."""
        model = self.models[person]
        if not model.forgotten:
            return
        identity = [*model.forgotten][place % len(model.forgotten)]
        states = model.forgotten.pop(identity)
        back = self.do(undo_forgetting(self.world.pool, person, identity))
        assert back == len(states)
        model.now |= states
        model.made.clear()
        with pytest.raises(ChangeGone):
            self.do(undo_forgetting(self.world.pool, person, identity))
        for ts in [*model.deleted]:
            self._source_gone(person, ts, None)

    @rule(person=PERSONS, place=PLACES, edited=st.booleans())
    def delete_message(self, person: Person, place: int, edited: bool) -> None:
        """Delete a message in Slack, or edit it so that it says nothing of it any more."""
        model = self.models[person]
        times = [ts for ts in model.messages if " " not in ts]
        if times:
            ts = times[place % len(times)]
            channel = model.messages[ts]
            words = PersonMessage(text="Never mind.", channel=channel, ts=ts) if edited else None
            self._source_gone(person, ts, words)

    def _source_gone(self, person: Person, ts: str, words: PersonMessage | None) -> None:
        model = self.models[person]
        pool, embedder = self.world.pool, self.world.former.embedder
        expected = model.delete(ts, words is not None)
        changes = self.do(source_changed(pool, embedder, person, model.messages[ts], ts, words))
        assert {change.key for change in changes} == {*expected}
        for change in changes:
            model.take(change, expected[change.key])

    @rule(person=PERSONS)
    def expire(self, person: Person) -> None:
        """Let what ends end."""
        ending = {key for key, state in self.models[person].now.items() if state.ends}
        with psycopg.connect(self.world.database) as owner:
            owner.execute(
                "UPDATE store SET expires_at = now() - interval '1 second' WHERE key = ANY(%s)",
                [[*ending]],
            )
        ended = self.do(expire_due(self.world.pool))
        assert set(ended) == ending
        for key in ending:
            self.models[person].gone.add(self.models[person].now.pop(key).word)
            self.models[person].asked.pop(key, None)
        made = self.models[person].made
        self.models[person].made = {i: one for i, one in made.items() if one[0] not in ending}

    @rule()
    def purge(self) -> None:
        """Let ten minutes pass: what was forgotten is in no column of any table."""
        with psycopg.connect(self.world.database, autocommit=True) as owner:
            owner.execute(
                "UPDATE forgotten_versions SET deleted_at = now() - interval '11 minutes'"
            )
            self.do(expire_due(self.world.pool))
            tables = owner.execute(
                "SELECT relname FROM pg_class WHERE relkind = 'r'"
                " AND relnamespace = 'public'::regnamespace"
            ).fetchall()
            everything = "\n".join(
                str(row) for [table] in tables for row in owner.execute(f"TABLE {table}")
            )
        gone = {word for model in self.models.values() for word in model.purge()}
        assert [word for word in gone if word in everything] == []

    @invariant()
    def each_sees_their_own(self) -> None:
        """The rows of each person are those of the model, and no change is of another key."""
        for person, model in self.models.items():
            rows = self.do(list_memories(self.world.pool, person))
            assert {
                row.key: (
                    row.namespace.audience,
                    row.content,
                    {ts for _, ts in row.source_messages},
                    row.expires_at is not None,
                )
                for row in rows
            } == {
                key: (state.audience, state.content, state.messages, state.ends)
                for key, state in model.now.items()
            }
            view = memory_view(person.namespace("G1"))
            pool, embedder = self.world.pool, self.world.former.embedder
            seen = self.do(recall_memories(pool, embedder, view, "food"))
            assert {one.key for one in seen.memories} == {
                key for key, state in model.now.items() if state.audience in (PUBLIC, "G1")
            }


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
