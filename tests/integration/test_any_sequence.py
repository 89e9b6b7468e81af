"""Any sequence of what people do with memories leaves the store as a simple model of it says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeAlias
from uuid import UUID

import openai
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory import (
    DM,
    Change,
    ChangedSince,
    ChangeGone,
    Embedder,
    Person,
    PersonMessage,
    Undo,
    UndoExpired,
    create_pool,
    edit_memory,
    erase,
    forget,
    list_memories,
    memory_view,
    source_deleted,
    undo_change,
    undo_forget,
)
from memory.formation.evidence import TypedMessage
from memory.formation.user_store import UserStore
from memory.model.schemas import SCHEMAS
from memory.postgres.database import Pool
from tests.conftest import SPACE, login_of
from tests.integration.scripted_model import scripted_model

pytestmark = pytest.mark.slow

NAMES = ("ramen", "soba")
LEVELS = st.sampled_from([60, 70, 80, 90])
FIELDS = ("food_name", "cuisine", "preference", "description")
Step: TypeAlias = tuple[str, dict[str, Any]]  # the message, and what it said

PEOPLE = count()


@dataclass(frozen=True, eq=False)
class State:
    """A memory is what its messages say, one after the other."""

    steps: tuple[Step, ...]

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = dict.fromkeys(FIELDS)
        for _, told in self.steps:
            content |= told
        return content

    def said(self, ts: str, content: dict[str, Any]) -> State:
        """Return the state after one more message."""
        told = {k: v for k, v in content.items() if v != self.content[k]}
        return State((*self.steps, (ts, told or content)))


@dataclass
class ModelChange:
    """A change: of which memory, from what to what."""

    id: UUID
    key: str
    before: State | None
    after: State | None
    undone: bool = False


@dataclass
class Model:
    """What is remembered, by key, and the changes that led there."""

    now: dict[str, State] = field(default_factory=dict)
    made: list[ModelChange] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    forgotten: list[tuple[Undo, str, dict[str, State], list[ModelChange]]] = field(
        default_factory=list
    )

    def key_of(self, name: str) -> str | None:
        """Return the key of the memory called `name`, if there is one."""
        return next((key for key in self.now if self.names[key] == name), None)

    def change(self, change: Change, after: State | None) -> None:
        """Take a change into the model."""
        before = self.now.pop(change.key, None)
        if after is not None:
            self.now[change.key] = after
        self.made.append(ModelChange(change.id, change.key, before, after))


class World:
    """One person, their store, and the model of it."""

    def __init__(self, pool: Pool, embedder: Embedder, database: str) -> None:
        self.pool, self.embedder, self.database = pool, embedder, database
        self.person = Person("T1", f"U{next(PEOPLE)}")
        self.model = Model()
        self.clock = count(1_700_000_000)

    def bytes(self) -> list[Any]:
        """Return every byte of the person's rows, their dates and vectors."""
        with psycopg.connect(self.database) as owner:
            return owner.execute(
                "SELECT s.key, s.value::text, s.created_at, s.updated_at, v.embedding::text"
                " FROM store s LEFT JOIN store_vectors v USING (prefix, key)"
                " WHERE starts_with(prefix, %s) ORDER BY s.key",
                (self.person.prefix + ".",),
            ).fetchall()

    async def check(self) -> None:
        """Compare the store with the model."""
        stored = {
            m.key: (m.content, sorted(ts for _, ts in m.source_messages))
            for m in await list_memories(self.pool, self.person)
        }
        assert stored == {
            key: (state.content, sorted({ts for ts, _ in state.steps}))
            for key, state in self.model.now.items()
        }

    async def write(self, text: str, key: str, content: dict[str, Any] | None) -> list[Change]:
        """Let a formation write `content` (None: remove) because of `text`."""
        ts = f"{next(self.clock)}.0"
        self.model.messages.append(ts)
        own = memory_view(self.person.namespace(DM))
        said = [TypedMessage(PersonMessage(text=text, channel="D1", ts=ts))]
        kind = "UserFoodPreference"
        store = await UserStore.load(self.pool, self.embedder, own, said, schemas=SCHEMAS)
        if content is None:
            await store.adelete(own.own.parts, key)
        else:
            value = {"kind": kind, "content": {**content, "evidence": text}}
            await store.aput(own.own.parts, key, value)
        await store.judge(None)
        formed = await store.commit(at=datetime.now(UTC))
        assert (formed.refused, formed.questions) == ((), ())
        return list(formed.changes)

    async def say(self, name: str, level: int) -> None:
        """Say that one loves something, so much."""
        content = {**dict.fromkeys(FIELDS), "food_name": name, "preference": level}
        [change] = await self.write(f"I love {name}", "new", content)
        old = self.model.now.get(change.key, State(()))
        told = {k: v for k, v in content.items() if v is not None}
        whole = {**old.content, **told}
        self.model.names[change.key] = name
        self.model.change(change, old.said(self.model.messages[-1], whole))

    async def change(self, name: str, level: int) -> None:
        """Say more about something that is known."""
        key = self.model.key_of(name)
        if key is None:
            return
        old = self.model.now[key]
        content = {**old.content, "description": f"with number {level}"}
        [change] = await self.write(f"I love {name} with number {level}", key, content)
        self.model.change(change, old.said(self.model.messages[-1], content))

    async def retract(self, name: str, _: int) -> None:
        """Say that one does not like it any more."""
        key = self.model.key_of(name)
        if key is not None:
            [change] = await self.write(f"I hate {name}", key, None)
            self.model.change(change, None)

    async def edit(self, name: str, level: int) -> None:
        """Edit it by hand."""
        key = self.model.key_of(name)
        if key is None:
            return
        ts = f"{next(self.clock)}.5"
        self.model.messages.append(ts)
        source = {"kind": "modal", "channel": "D1", "ts": ts}
        old = self.model.now[key]
        content = {**old.content, "preference": level + 5}
        change = await edit_memory(
            self.pool, self.embedder, self.person, f"dm/{key}", content, source
        )
        self.model.change(change, old.said(ts, content))

    async def delete_message(self, _: str, number: int) -> None:
        """Delete one of the messages so far."""
        if not self.model.messages:
            return
        ts = self.model.messages[number % len(self.model.messages)]
        changes = await source_deleted(self.pool, self.embedder, self.person, "D1", ts)
        touched = {k for k, s in self.model.now.items() if ts in {at for at, _ in s.steps}}
        assert {change.key for change in changes} == touched
        for change in changes:
            left = tuple(step for step in self.model.now[change.key].steps if step[0] != ts)
            named = {"food_name": self.model.names[change.key]}
            state = State(((left[0][0], named | left[0][1]), *left[1:])) if left else None
            self.model.change(change, state)

    async def undo(self, _: str, number: int) -> None:
        """Undo any change so far, where nothing came after it."""
        if not self.model.made:
            return
        made = self.model.made[-1 - number % len(self.model.made)]
        current = self.model.now.get(made.key)
        added_since = made.after is None and self.model.key_of(self.model.names[made.key])
        if made.undone or current is not made.after or added_since:
            before = self.bytes()
            with pytest.raises(ChangeGone if made.undone else ChangedSince):
                await undo_change(self.pool, self.embedder, self.person, made.id)
            assert self.bytes() == before
            return
        entry = await undo_change(self.pool, self.embedder, self.person, made.id)
        made.undone = True
        self.model.now.pop(made.key, None)
        if made.before is not None:
            self.model.now[made.key] = made.before
        self.model.made.append(ModelChange(entry.id, made.key, made.after, made.before))

    async def forget(self, name: str, _: int) -> None:
        """Forget it, with all that is known of it."""
        key = self.model.key_of(name)
        if key is None:
            return
        done = await forget(self.pool, self.person, [f"dm/{key}"])
        assert done.undo is not None
        keys = {k for k, called in self.model.names.items() if called == name}
        gone = [made for made in self.model.made if made.key in keys]
        self.model.made = [made for made in self.model.made if made.key not in keys]
        self.model.forgotten.append((done.undo, name, {key: self.model.now.pop(key)}, gone))
        for made in gone:
            with pytest.raises(ChangeGone):
                await undo_change(self.pool, self.embedder, self.person, made.id)

    async def unforget(self, _: str, __: int) -> None:
        """Take the newest forgetting back, where nothing of the name was added since."""
        if not self.model.forgotten or self.model.key_of(self.model.forgotten[-1][1]):
            return
        undo, _, states, gone = self.model.forgotten.pop()
        await undo_forget(self.pool, self.person, undo)
        self.model.now |= states
        self.model.made += gone

    async def do_and_undo(self, name: str, level: int) -> None:
        """Change something and take it back at once: every byte is as before."""
        for act in (self.say, self.change, self.edit, self.retract, self.delete_message):
            before, known = self.bytes(), len(self.model.made)
            await act(name, level)
            for made in self.model.made[known:][::-1]:
                if not made.undone:
                    await self.undo("", self.model.made[::-1].index(made))
            assert self.bytes() == before

    async def erase_all(self, _: str = "", __: int = 0) -> None:
        """Erase everything: nothing is left, and nothing can come back."""
        erased = await erase(self.pool, self.person)
        assert (self.bytes(), sum(erased.left.values())) == ([], 0)
        for made in self.model.made:
            with pytest.raises(ChangeGone):
                await undo_change(self.pool, self.embedder, self.person, made.id)
        for forgotten in self.model.forgotten:
            with pytest.raises(UndoExpired):
                await undo_forget(self.pool, self.person, forgotten[0])
        assert self.bytes() == []
        self.model.made.clear()
        self.model.forgotten.clear()
        self.model.now.clear()
        await self.check()


ACTS = (
    "say",
    "change",
    "retract",
    "edit",
    "delete_message",
    "undo",
    "forget",
    "unforget",
    "erase_all",
)
SEQUENCES = st.lists(
    st.tuples(st.sampled_from((*ACTS, "say", "do_and_undo")), st.sampled_from(NAMES), LEVELS),
    min_size=5,
    max_size=14,
)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for all sequences."""
    with asyncio.Runner() as made:
        yield made


def test_any_sequence_leaves_what_the_model_says(runner: asyncio.Runner, database: str) -> None:
    """Say, change, undo, forget, edit, delete and take along, in any order: as the model says.

    Wherever that has led, exporting, erasing and importing leads back there.
    """

    async def opened() -> tuple[Any, Pool, Embedder, openai.AsyncOpenAI]:
        serving = scripted_model()
        served = await serving.__aenter__()
        client = openai.AsyncOpenAI(api_key="none", base_url=served.base_url, max_retries=0)
        pool = create_pool(login_of(database), min_size=1, max_size=2, timeout=10)
        await pool.open()
        return serving, pool, Embedder(client, SPACE), client

    async def closed() -> None:
        await pool.close()
        await client.close()
        await serving.__aexit__(None, None, None)

    async def play(acts: list[tuple[str, str, int]]) -> None:
        world = World(pool, embedder, database)
        for act, name, level in acts:
            await getattr(world, act)(name, level)
            await world.check()
        await world.erase_all()

    serving, pool, embedder, client = runner.run(opened())

    @settings(max_examples=25, suppress_health_check=list(HealthCheck), database=None)
    @given(SEQUENCES)
    def sequences(acts: list[tuple[str, str, int]]) -> None:
        runner.run(play(acts))

    try:
        sequences()
    finally:
        runner.run(closed())
