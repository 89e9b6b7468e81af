"""Content that the model's provider refuses: what is left out, and what comes after it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import openai
import pytest

from bot.answering.declined import find_declined
from bot.locale import Localizer, say
from bot.panel.rows import PanelContent
from bot.panel.views import panel_view
from bot.remembering.formation import FIND_DECLINED
from bot.runtime.wiring import ModelClients
from memory import MemoryModelRefused, Person, Pool
from tests.conftest import Server
from tests.integration.app import App, open_app
from tests.integration.model_servers import Dialect, Refusal, model_server
from tests.integration.playground_slack import PlaygroundSlack
from tests.memories import put_memory

WORD = "grenade"


def _filtered(body: dict[str, Any]) -> Refusal | None:
    """Refuse a request that shows the word anywhere, as Azure's filter does."""
    if WORD not in json.dumps(body["input"]):
        return None
    error = {"message": "The prompt was filtered.", "code": "content_filter"}
    return 400, {"error": {**error, "param": "prompt", "type": None}}


FILTER = Dialect(name="filter", refuse=_filtered)


class Filtered(NamedTuple):
    """An app, and the requests for replies and memories, with those that were refused."""

    app: App
    requests: list[dict[str, Any]]


@pytest.fixture
async def filtered(
    pool: Pool,
    database: str,
    slack: PlaygroundSlack,
    stand_in: Server,
    model_client: openai.AsyncOpenAI,
) -> AsyncIterator[Filtered]:
    """The app, the provider of whose models has a filter."""
    async with (
        model_server(FILTER, stand_in.openai_base_url) as server,
        openai.AsyncOpenAI(api_key="k", base_url=server.url, max_retries=0) as client,
    ):
        app = await open_app(
            pool,
            database,
            slack,
            stand_in,
            model_client,
            clients=ModelClients(client, client, model_client),
            openai_base_url=server.url,
        )
        yield Filtered(app, server.requests)


def remember(app: App, person: Person, fact: str) -> None:
    """Store a fact that no model is asked about."""
    sources = [{"evidence": fact}]
    value = {"kind": "UserFact", "content": {"fact": fact}, "sources": sources}
    put_memory(app.database, person.namespace("dm"), value)


async def test_a_message_that_is_refused_alone_is_shown_to_no_model_again(
    filtered: Filtered,
) -> None:
    """It costs one request, and the next message, here or in its thread, is answered."""
    app = filtered.app
    place = app.slack.place()
    flagged = await app.ask(place, f"Tell me of the {WORD} emoji")
    assert app.replies(flagged) == [say("en", "model_policy")]
    assert len(filtered.requests) == 1
    for thread in ({}, {"thread_ts": flagged.ts}):
        asked = await app.ask(place, "What is two plus two?", **thread)
        assert app.turn(asked)["status"] == "answered"
    assert len(filtered.requests) == 3


async def test_a_memory_that_is_refused_is_left_out_of_the_answer(
    filtered: Filtered,
) -> None:
    """After what stands behind it in the request; the answer says what was left out."""
    app = filtered.app
    place = app.slack.place()
    await app.ask(place, "Hello")
    remember(app, app.person(place), f"I collect {WORD} lighters")
    before = len(filtered.requests)
    asked = await app.ask(place, "What is two plus two?")
    [shown] = app.replies(asked)
    assert say("en", "without_earlier") in shown
    assert say("en", "without_all_memories") in shown
    assert len(filtered.requests) - before == 3


async def look_for_declined(filtered: Filtered) -> int:
    """Carry out the jobs that look for a declined memory; return how many requests they made."""
    before = len(filtered.requests)
    for arguments in filtered.app.take_jobs(FIND_DECLINED):
        await find_declined(filtered.app.core, **arguments)
    return len(filtered.requests) - before


async def test_a_declined_memory_is_found_by_halves_and_shown_to_no_model_again(
    filtered: Filtered,
) -> None:
    """Once a day for a person; the panel says so, and other words of it are shown again."""
    app = filtered.app
    place = app.slack.place()
    person = app.person(place)
    foods = ("ramen", "sushi", "soba", "udon", "natto")
    await app.add(person, *(f"I like {food}" for food in foods))
    remember(app, person, f"I collect {WORD} lighters")
    await app.ask(place, "What is two plus two?")
    assert 0 < await look_for_declined(filtered) <= 8
    before = len(filtered.requests)
    [shown] = app.replies(await app.ask(place, "What is three plus three?"))
    assert say("en", "without_all_memories") not in shown
    assert len(filtered.requests) == before + 1
    assert "ramen" in json.dumps(filtered.requests[-1])
    rows = memory_rows(await app.panel(person))
    declined = [row for row in rows if say("en", "row_left_out") in row]
    assert len(rows) == len(foods) + 1
    assert [WORD in row for row in declined] == [True]
    # Another one on the same day is left out of each answer only.
    remember(app, person, f"I own a {WORD}")
    await app.ask(place, "What is four plus four?")
    assert await look_for_declined(filtered) == 0


async def test_a_memory_with_which_a_formation_is_declined_is_found_too(
    filtered: Filtered,
) -> None:
    """What was said is formed without it at once, and with the others from then on."""
    app = filtered.app
    place = app.slack.place()
    person = app.person(place)
    for animal in ("cats", f"a {WORD} fish", "dogs", "hens"):
        remember(app, person, f"I have {animal}")
    said = await app.ask(place, "I like ramen")
    app.take_jobs(FIND_DECLINED)  # of the answer
    await app.form(said)
    assert 0 < await look_for_declined(filtered) <= 8
    memories = await app.memories(person)
    assert len(memories) == 5
    declined = [one.content["fact"] for one in memories if one.left_out]
    assert declined == [f"I have a {WORD} fish"]
    before = len(filtered.requests)
    await app.form(await app.ask(place, "I like soba"))
    requests = filtered.requests[before:]
    assert len(requests) == 3, "an answer, a formation, a verdict"
    assert WORD not in json.dumps(requests)


def memory_rows(content: PanelContent) -> list[str]:
    """Return the texts of the rows of memories in a panel."""
    blocks = panel_view(Localizer("en"), content)["blocks"]
    rows = [one for one in blocks if one.get("block_id", "").startswith("memory-")]
    return [one["text"]["text"] for one in rows]


async def test_a_memory_model_without_tools_is_told_to_the_operator_alone(
    app: App,
) -> None:
    """The words wait, nothing is shown in Slack, and a model with tools ends the warning."""
    for kind in ("formation", "probe"):
        said = {"kind": kind, "output": {"text": "I cannot."}}
        app.stand_in.call("/_model/script", {"endpoint": "responses", **said})
    place = app.slack.place()
    told = await app.ask(place, "I like ramen")
    with pytest.raises(MemoryModelRefused):
        await app.form(told)
    [warning] = app.core.slack.warnings.sentences
    assert "it calls no tools" in warning
    [memory] = await app.form(told)
    assert memory["food_name"] == "ramen"
    assert app.core.slack.warnings.sentences == []
