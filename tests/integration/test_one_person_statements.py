"""Every statement on the tables of memories is about one person, so one shard can answer it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from bot.conversation.periods import Period
from memory import (
    PUBLIC,
    Pool,
    Selection,
    create_pool,
    edit_memory,
    erase,
    export_memories,
    forget,
    list_changes,
    list_memories,
    memory_page,
    move_memory,
    undo_change,
    undo_forgetting,
)
from tests.conftest import login_of
from tests.integration.app import App
from tests.integration.counted import CountedConnection, count_statements
from tests.integration.deliveries import nothing
from tests.memories import add_memory

HOT = ("store", "store_vectors", "memory_versions", "memory_questions")
_TABLE = re.compile(rf"\b(?:FROM|JOIN|INTO|UPDATE)\s+({'|'.join(HOT)})\b")
_PREFIX = re.compile(r"^chat\.(T[A-Z0-9]+\.U[A-Z0-9]+)[./]")
# What names rows of a table: its namespace, whose it is, or the rows themselves.
_BOUND = re.compile(r"\bprefix\b|\bteam_id\b|\bjsonb_populate_record\b")


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """The application's pool, whose statements are noted."""
    opened = create_pool(login_of(database), min_size=1, max_size=6, timeout=10)
    count_statements(opened)
    async with opened:
        yield opened


def texts(value: Any) -> Iterator[str]:
    """Yield every text among a statement's values, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from texts(one)


def named(params: Any) -> set[str]:
    """Return the people whose namespaces or ids are among a statement's values."""
    given = list(texts(params))
    found = {match[1] for text in given if (match := _PREFIX.match(text))}
    # Whole rows that come back, each a line of JSON.
    for line in (json.loads(text) for text in given if text.startswith('{"')):
        if "team_id" in line:
            found.add(f"{line['team_id']}.{line['user_id']}")
        elif match := _PREFIX.match(str(line.get("prefix"))):
            found.add(match[1])
    teams = [text for text in given if re.fullmatch(r"T[A-Z0-9]{4,}", text)]
    users = [text for text in given if re.fullmatch(r"U[A-Z0-9]{4,}", text)]
    return found | {f"{team}.{user}" for team in teams for user in users}


async def everything(app: App, suffix: str) -> str:
    """Let somebody do all that can be done with memories; return whose scope it was."""
    place = app.slack.place()
    message = await app.ask(place, f"I love ramen and I'm interested in Rust{suffix}")
    person = message.person
    await app.wiring.formation_jobs.form(person.team_id, person.user_id, "dm")
    await app.ask(place, "what shall I eat?")
    actions = dataclasses.replace(app.wiring.memory_actions, update_notices=nothing)
    ramen, *_ = [m for m in await list_memories(app.pool, person) if "ramen" in str(m.content)]
    await actions.listed(person, "en")
    await memory_page(app.pool, person, size=10)
    source = {"kind": "modal", "channel": message.channel_id, "ts": message.ts}
    change = await edit_memory(
        app.pool,
        app.embedder,
        person,
        ramen.key,
        {**ramen.content, "description": "with a soft egg"},
        source,
    )
    await undo_change(app.pool, app.embedder, person, change.id)
    moved = await move_memory(app.pool, app.embedder, person, ramen.key, PUBLIC)
    await list_changes(app.pool, person)
    for fact in ("I live in Osaka", "So I live in Osaka"):
        content = {"fact": fact}
        await add_memory(
            app.pool, app.embedder, person.namespace(PUBLIC), "UserFact", content, source
        )
    gone = await forget(app.pool, person, Selection(keys=[moved.key]))
    assert gone.id is not None
    await undo_forgetting(app.pool, person, gone.id)
    await export_memories(app.pool, person)
    await actions.everything_proposed(person, "en")
    await actions.period_forgotten(person, "en", Period().value())
    await erase(app.pool, person)
    return person.scope


async def test_every_statement_names_one_person(app: App) -> None:
    """Whatever somebody does, each statement there is bound to them, and to them alone."""
    scopes = [await everything(app, suffix) for suffix in ("", "!")]
    told = dict.fromkeys(HOT, 0)
    for text, scope, params in CountedConnection.statements:
        if not _TABLE.search(text):
            continue
        assert scope in scopes, f"Not in a person's transaction: {text}"
        assert named(params) == {scope}, f"{named(params)}: {text}"
        assert _BOUND.search(text), f"Nothing says whose rows these are: {text}"
        for table in _TABLE.findall(text):
            told[table] += 1
    assert all(told[table] > 3 for table in ("store", "store_vectors", "memory_versions")), told
