"""App Home beyond what each surface does: its pages, when it is published, and what goes wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import LiteralString

import pytest
from psycopg import AsyncConnection
from slack_sdk.errors import SlackApiError

from bot.memories.data import erase_person
from bot.memories.home import PUBLISH, publish_home
from bot.memories.switches import turn_off
from bot.runtime.wiring import Application
from bot.ui.panel import ANSWER, MENU, SHOW, SWITCH, UNDO
from memory import DM, edit_memory
from tests.conftest import Server
from tests.integration.app import App, receiving
from tests.integration.person import SlackPerson, elements, shown
from tests.integration.playground_slack import PlaygroundSlack

# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database


@pytest.fixture
def slack(own_playground: Server) -> PlaygroundSlack:
    """Its Slack."""
    return PlaygroundSlack(own_playground)


@pytest.fixture
async def ann(app: App) -> AsyncIterator[SlackPerson]:
    """A person whose events the playground delivers to the app."""
    async with receiving(app):
        yield SlackPerson(app)


async def as_owner(app: App, statement: LiteralString) -> None:
    """Change something as the database's owner, which may have to wait for the app."""
    async with await AsyncConnection.connect(app.database, autocommit=True) as owner:
        await owner.execute(statement)


async def test_a_new_person_is_shown_how_to_begin(ann: SlackPerson) -> None:
    """There is nothing before Home is opened; then examples, and one button."""
    assert await ann.home() == {}
    home = await ann.open_home()
    assert ann.sentence("panel_example_food") in shown(home)
    assert [one["action_id"] for one in elements(home)] == [SWITCH, "add"]


async def test_pages(ann: SlackPerson) -> None:
    """A thousand memories come in pages of fifteen."""
    ann.app.rows(
        "INSERT INTO store (prefix, key, value, updated_at) SELECT %s, gen_random_uuid()::text,"
        " jsonb_build_object('kind', 'UserFact', 'content', jsonb_build_object('fact',"
        " 'thing ' || n)), now() - n * interval '1 minute'"
        " FROM generate_series(1, 1000) AS n RETURNING key",
        ann.person.namespace(DM).prefix,
    )
    home = await ann.open_home()
    assert "1–15 of 1000" in shown(home)
    assert len(home["blocks"]) <= 100
    home = await ann.click(home, SHOW, "memories 2 ")
    assert "16–30 of 1000" in shown(home)
    assert "1–15 of 1000" in shown(await ann.click(home, SHOW, "memories 1 "))


async def test_what_cannot_be_undone_is_said(ann: SlackPerson) -> None:
    """A change that was followed by another, made meanwhile, stays, and so does the page."""
    await ann.remember("ramen")
    changes = await ann.click(await ann.open_home(), SHOW, "changes")
    memory, app = await ann.memory("ramen"), ann.app
    liked = {"food_name": "ramen", "preference": 95}
    await edit_memory(app.pool, app.embedder, ann.person, memory.key, liked, {"kind": "modal"})
    after = await ann.click(changes, UNDO, "change")
    assert ann.sentence("undo_gone") in shown(after)
    assert "Updated: Likes ramen very much" in shown(after)
    assert await ann.foods() == ["ramen"]


async def test_a_question_is_answered_there(ann: SlackPerson) -> None:
    """What words did not settle comes before any memory, and is settled by a click."""
    sensitive = {"index": 0, "supported": True, "about": "other", "modality": "asserted"}
    sensitive |= {"valid_until": None, "conflict": "none", "sensitive": "health"}
    call = {"name": "MemoryVerdicts", "arguments": {"verdicts": [sensitive]}}
    ann.app.stand_in.call(
        "/_model/script",
        {"endpoint": "responses", "kind": "verdict", "output": {"function_calls": [call]}},
    )
    await ann.app.form(await ann.say("I love ramen"))
    assert await ann.foods() == []
    home = await ann.open_home()
    assert ann.sentence("panel_question") in shown(home)
    home = await ann.click(home, ANSWER)
    assert ann.sentence("panel_question") not in shown(home)
    assert home["blocks"][0]["text"]["text"].startswith("Remembered: Likes ramen")
    assert await ann.foods() == ["ramen"]


async def test_off_in_a_conversation_is_shown_and_ended(ann: SlackPerson) -> None:
    """Home names the conversation, and its switch ends it there too."""
    await turn_off(ann.app.wiring.app, ann.person, "C0HERE")
    home = await ann.open_home()
    assert ann.sentence("panel_off_in", where="<#C0HERE>") in shown(home)
    [switch] = [one for one in elements(home) if one["action_id"] == SWITCH]
    # Slack sends nothing for an option that is chosen already.
    assert "initial_option" not in switch
    home = await ann.click(home, SWITCH, "on")
    assert "<#C0HERE>" not in shown(home)


async def test_another_replica_publishes(ann: SlackPerson) -> None:
    """The process that does the job reads the settings as they are, not as it knew them before."""
    home = await ann.open_home()
    other = Application(ann.app.wiring.connections)
    await other.app.people.settings(ann.person)
    await ann.click(home, SWITCH, "off")
    await publish_home(other.app, ann.person.team_id, ann.user)
    assert ann.sentence("off") in shown(await ann.home())


async def test_another_persons_click(ann: SlackPerson) -> None:
    """Nobody can click in, or see, another person's Home."""
    await ann.remember("natto")
    home = await ann.open_home()
    bob = SlackPerson(ann.app)
    with pytest.raises(Exception, match="403"):
        await ann.press(home, MENU, "forget", user=bob.user)
    assert await bob.home() == {}
    assert "natto" not in shown(await bob.open_home())
    assert await ann.foods() == ["natto"]


async def test_erased_while_it_is_open(ann: SlackPerson) -> None:
    """Who is erased sees an empty Home; nothing is kept of them for that."""
    await ann.remember("natto")
    await ann.open_home()
    erased = await erase_person(ann.app.pool, ann.person)
    assert sum(erased.left.values()) == 0
    [job] = ann.app.jobs(PUBLISH)
    assert job["args"]["erased"] == "en"
    await ann.publish_home()
    home = await ann.home()
    assert "natto" not in shown(home)
    assert ann.sentence("panel_example_food") in shown(home)
    assert not ann.app.rows("SELECT 1 FROM person_settings WHERE user_id = %s", ann.user)
    await ann.click(home, SWITCH, "off")


async def test_what_slack_refuses_for_a_while_is_published_later(ann: SlackPerson) -> None:
    """The job fails until Slack takes the page."""
    await ann.remember("natto")
    await ann.control("home/open", {"user": ann.user, "tab": "home"})
    await ann._delivered()
    [job] = ann.app.take_jobs(PUBLISH)
    ann.app.slack.fault("views.publish", error="internal_error", times=1)
    with pytest.raises(SlackApiError):
        await publish_home(ann.app.wiring.app, **job)
    await publish_home(ann.app.wiring.app, **job)
    assert "natto" in shown(await ann.home())


async def test_what_cannot_be_shown_is_said(ann: SlackPerson) -> None:
    """Where the page cannot be made, the one that is there stays, with a sentence above it."""
    await ann.remember("natto")
    home = await ann.open_home()
    await as_owner(ann.app, "ALTER TABLE store RENAME TO taken_away")
    try:
        home = await ann.click(home, SHOW, "changes")
    finally:
        await as_owner(ann.app, "ALTER TABLE taken_away RENAME TO store")
    assert ann.sentence("command_broke") in shown(home)
    assert "natto" in shown(home)
    # What was said is no part of the page: the next one is without it.
    home = await ann.click(home, SHOW, "changes")
    assert ann.sentence("command_broke") not in shown(home)


async def test_what_a_click_has_done_is_said_where_the_page_cannot_be_made(
    ann: SlackPerson,
) -> None:
    """A click that was carried out is not said to have changed nothing."""
    home = await ann.open_home()
    async with locked(ann, "store"):
        home = await ann.click(home, SWITCH, "off")
        assert ann.sentence("off_means") in shown(home)
        assert ann.sentence("command_uncertain") not in shown(home)


@asynccontextmanager
async def locked(ann: SlackPerson, table: LiteralString) -> AsyncIterator[None]:
    """Let every reader of a table wait, until they give up."""
    async with await AsyncConnection.connect(ann.app.database) as owner:
        await owner.execute(f"LOCK TABLE {table}")
        yield
