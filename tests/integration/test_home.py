"""App Home: opened, looked through, changed by clicks, and published again after a command."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, LiteralString

import pytest
from psycopg import AsyncConnection
from slack_sdk.errors import SlackApiError

from bot.listeners.actions import _view
from bot.locale import say
from bot.memories.home import PUBLISH
from bot.memories.data import erase_person
from bot.runtime.wiring import Application
from bot.users.incognito import EVERYWHERE, switch_on
from bot.ui.changes import ANSWER_ACTION, UNDO_CHANGE_ACTION
from bot.ui.forgetting import FORGET_ALL_ACTION, UNDO_ACTION
from bot.ui.home import HOME_PAUSE_ACTION
from bot.ui.home_list import (
    ALL_KINDS,
    HOME_ALL_ACTION,
    HOME_KIND_ACTION,
    HOME_PAGE_ACTION,
    HOME_SEARCH_ACTION,
)
from bot.ui.memory_state import RESUME_ACTION
from bot.ui.modal_triggers import ADD_ACTION, ERASE_ACTION, HOME_MORE_ACTION, MENU_ACTION
from memory import (
    DM,
    PUBLIC,
    Change,
    Memory,
    add_memory,
    edit_memory,
    memory_view,
    person_transaction,
)
from tests.conftest import Server, owner_rows
from tests.integration.app import App, eventually, receiving
from tests.integration.modal_user import ModalUser
from tests.integration.playground_slack import PlaygroundSlack
from tests.integration.test_ledger import Ledger

# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database


@pytest.fixture
def slack(own_playground: Server) -> PlaygroundSlack:
    """Its Slack."""
    return PlaygroundSlack(own_playground)


class Visit(ModalUser):
    """One person and their Home; nobody works but the test."""

    @property
    def user(self) -> str:
        """Their id."""
        return self.person.user_id

    async def remember(self, *foods: str) -> None:
        """Let the person add likings, the last the newest."""
        for food in foods:
            await add_memory(
                self.app.pool,
                self.app.embedder,
                self.person.namespace(DM),
                "UserFoodPreference",
                {"food_name": food},
                {"kind": "modal", "evidence": food},
            )

    async def memory_of(self, food: str) -> Memory:
        """Return the memory of a food."""
        [found] = [m for m in await self.app.memories(self.person) if food in str(m.content)]
        return found

    async def like(self, food: str, level: int) -> Change:
        """Let the person edit how much they like a food."""
        reference = (await self.memory_of(food)).reference
        liked = {"food_name": food, "preference": level}
        app, source = self.app, {"kind": "modal"}
        return await edit_memory(app.pool, app.embedder, self.person, reference, liked, source)

    async def say(self, words: str) -> None:
        """Let the person write in their direct messages; it is answered, and formed."""
        said = await self.control("messages", {"user": self.user, "channel": "dm", "text": words})
        await self.quiet()
        await self.app.answering.drain(f"{self.person.team_id}.{said['channel']}.{said['ts']}")
        await self.app.wiring.formation_jobs.form(self.person.team_id, self.user, DM)

    def store(self, count: int, kind: str = "UserFact", field: str = "fact") -> None:
        """Store many memories at once."""
        self.app.rows(
            "INSERT INTO store (prefix, key, value, updated_at)"
            " SELECT %s, %s || n, jsonb_build_object('kind', %s::text, 'content',"
            " jsonb_build_object(%s::text, 'thing ' || n)), now() - n * interval '1 minute'"
            " FROM generate_series(1, %s) AS n RETURNING key",
            self.person.namespace(DM).prefix,
            kind,
            kind,
            field,
            count,
        )

    async def open(self) -> dict[str, Any]:
        """Open the Home tab, and let the job be done."""
        await self.control("home/open", {"user": self.user, "tab": "home"})
        await self.quiet()
        assert await self.work() == 1
        return await self.view()

    async def quiet(self) -> None:
        """Wait until Slack has delivered everything."""

        async def delivered() -> bool:
            return not (await self.control("deliveries?since=0"))["waiting"]

        await eventually(delivered)

    def waiting(self) -> list[dict[str, Any]]:
        """Return the arguments of the person's waiting jobs."""
        rows = self.app.rows(
            "SELECT args FROM procrastinate_jobs WHERE task_name = %s AND args->>'user' = %s",
            PUBLISH,
            self.user,
        )
        return [row["args"] for row in rows]

    async def work(self) -> int:
        """Do what waits of the person's Home; return how many jobs there were."""
        taken = await self.as_owner(
            "DELETE FROM procrastinate_jobs WHERE task_name = %s AND args->>'user' = %s"
            " RETURNING args",
            PUBLISH,
            self.user,
        )
        for row in taken:
            await self.app.wiring.home_publisher.publish(**row["args"])
        return len(taken)

    async def waiting_for_work(self) -> bool:
        """Say whether the person's Home waits to be published."""
        return bool(await asyncio.to_thread(self.waiting))

    async def paused(self) -> bool:
        """Say whether the person's memory is paused."""
        return await self.app.wiring.controls.off(self.person) == "paused"

    async def some_work(self) -> None:
        """Wait for a job of the person's Home, and do it."""
        await eventually(self.work)

    async def view(self) -> dict[str, Any]:
        """Return the Home as its person sees it."""
        view = (await self.control(f"home?as={self.user}"))["view"]
        assert isinstance(view, dict)
        return view

    async def text(self) -> str:
        """Return everything the Home says."""
        return json.dumps((await self.view())["blocks"], ensure_ascii=False)

    async def act(self, view: dict[str, Any], action: str, **more: Any) -> None:
        """Click in a view."""
        click = {"user": self.user, "view_id": view["id"], "action_id": action, **more}
        done = await self.control("actions", click)
        assert done["ok"], done

    async def click_home(self, action: str, **more: Any) -> dict[str, Any]:
        """Click in the Home; return it as it is then."""
        before = await self.view()
        await self.act(before, action, **more)

        async def another() -> dict[str, Any] | None:
            view = await self.view()
            return view if view["hash"] != before["hash"] else None

        return await eventually(another)

    async def click_first(self, action: str) -> dict[str, Any]:
        """Click on the first button of the Home with an action id; return the Home."""
        button = self.element(await self.view(), action)
        return await self.click_home(action, block_id=button["block_id"], value=button["value"])

    async def chosen(self, value: str, key: str, **values: Any) -> dict[str, Any]:
        """Choose in the menu of the Home; return the modal that shows a sentence."""
        await self.act(await self.view(), HOME_MORE_ACTION, value=value)
        return await self.modal(key, **values)

    async def as_owner(self, statement: LiteralString, *parameters: object) -> list[dict[str, Any]]:
        """Change something as the database's owner, while the app may still hold a lock on it."""
        return await asyncio.to_thread(owner_rows, self.app.database, statement, *parameters)

    def element(self, view: dict[str, Any], action: str) -> dict[str, Any]:
        """Return the first element with an action id, with the id of its block."""
        for block in view["blocks"]:
            inner = [block.get("accessory"), block.get("element"), *block.get("elements", [])]
            for element in inner:
                if element and element.get("action_id") == action:
                    return {**element, "block_id": block["block_id"]}
        raise AssertionError(f"no {action} in the Home")


@pytest.fixture
async def visit(app: App) -> AsyncIterator[Visit]:
    """A person whose events the playground delivers to the app."""
    async with receiving(app):
        yield Visit(app)


async def test_a_home_is_published_when_it_is_opened(visit: Visit) -> None:
    """It shows what is remembered; nothing is there before, and the empty one teaches."""
    assert (await visit.control(f"home?as={visit.user}"))["view"] is None
    await visit.open()
    assert say("en", "home_none") in await visit.text()
    await visit.remember("ramen")
    await visit.open()
    text = await visit.text()
    assert "Likes ramen" in text
    assert say("en", "home_none") not in text


async def test_pages_and_kinds(visit: Visit) -> None:
    """A thousand memories come in pages of twenty; a kind shows its own only."""
    visit.store(990)
    visit.store(10, "UserFoodPreference", "food_name")
    view = await visit.open()
    assert "1–20 of 1000" in await visit.text()
    assert len(view["blocks"]) <= 100
    await visit.click_home(f"{HOME_PAGE_ACTION}_2")
    assert "21–40 of 1000" in await visit.text()
    await visit.click_home(HOME_KIND_ACTION, value="UserFoodPreference")
    text = await visit.text()
    assert "1–10 of 10 that match" in text
    assert "Likes thing 10" in text
    await visit.click_home(HOME_ALL_ACTION)
    assert "1–20 of 1000" in await visit.text()


async def test_search(visit: Visit) -> None:
    """Words find what has them, within a kind too; what has none shows the nearest."""
    await visit.remember("ramen", "miso ramen", "udon")
    view = await visit.open()
    block = visit.element(view, HOME_SEARCH_ACTION)["block_id"]
    values = {block: {HOME_SEARCH_ACTION: " Ramen "}}
    view = await visit.click_home(
        HOME_SEARCH_ACTION, block_id=block, value=" Ramen ", values=values
    )
    text = await visit.text()
    assert "1–2 of 2 that match" in text
    assert "udon" not in str([b.get("text") for b in view["blocks"][:12]])
    assert visit.element(view, HOME_SEARCH_ACTION)["initial_value"] == "Ramen"


async def test_a_memory_is_forgotten_and_the_home_follows(visit: Visit) -> None:
    """The menu opens a modal on top of nothing; after Forget the Home shows one less."""
    await visit.remember("ramen", "udon")
    view = await visit.open()
    menu = visit.element(view, MENU_ACTION)
    option = next(o for o in menu["options"] if o["value"].startswith("forget "))
    await visit.act(view, MENU_ACTION, block_id=menu["block_id"], value=option["value"])
    await visit.submit(await visit.modal("forget_confirm_text"))
    await visit.some_work()
    text = await visit.text()
    assert "udon" not in text
    assert "ramen" in text


async def test_undo_of_a_recent_change(visit: Visit) -> None:
    """Undo among the recent changes, which repeat no memory of the list, shows the page again."""
    await visit.remember("ramen", "udon")
    await visit.open()
    assert say("en", "home_changes") not in await visit.text()
    change = await visit.like("ramen", 95)
    await visit.open()
    text = await visit.text()
    assert say("en", "home_changes") in text
    assert "Updated: Likes ramen very much (was: Likes ramen)" in text
    assert "Remembered" not in text
    undo = visit.element(await visit.view(), UNDO_CHANGE_ACTION)
    assert undo["block_id"] == f"home.change.{change.id}"
    await visit.click_first(UNDO_CHANGE_ACTION)
    assert "very much" not in str([one.content for one in await visit.app.memories(visit.person)])
    assert "(undone)" in await visit.text()


async def test_what_cannot_be_undone_is_said_at_the_change(visit: Visit) -> None:
    """A click on what has changed meanwhile says below it why; only the newest keeps its Undo."""
    await visit.remember("ramen")

    def changes(view: dict[str, Any]) -> list[dict[str, Any]]:
        blocks = view["blocks"]
        return [one for one in blocks if one.get("block_id", "").startswith("home.change.")]

    await visit.like("ramen", 95)
    [shown] = changes(await visit.open())
    await visit.like("ramen", 20)
    value = shown["accessory"]["value"]
    view = await visit.click_home(UNDO_CHANGE_ACTION, block_id=shown["block_id"], value=value)
    newest, older = changes(view)
    assert newest["accessory"]["action_id"] == UNDO_CHANGE_ACTION
    assert older["block_id"] == shown["block_id"]
    assert "accessory" not in older
    said = view["blocks"][view["blocks"].index(older) + 1]
    assert said["text"]["text"] == say("en", "undo_changed_since")


async def test_a_question_is_answered_there(visit: Visit) -> None:
    """What words did not settle comes first, before any memory, and is settled by a click."""
    sensitive = {"index": 0, "supported": True, "about": "other", "modality": "asserted"}
    sensitive |= {"valid_until": None, "conflict": "none", "sensitive": "health"}
    call = {"name": "MemoryVerdicts", "arguments": {"verdicts": [sensitive]}}
    visit.app.stand_in.call(
        "/_model/script",
        {"endpoint": "responses", "kind": "verdict", "output": {"function_calls": [call]}},
    )
    await visit.say("I love ramen")
    assert await visit.app.memories(visit.person) == []
    await visit.open()
    assert say("en", "home_questions") in await visit.text()
    view = await visit.click_first(f"{ANSWER_ACTION}_yes")
    assert say("en", "home_questions") not in await visit.text()
    # What came of it is shown where the question was.
    place = [block["block_id"] for block in view["blocks"]].index("home.summary")
    assert view["blocks"][place + 1]["text"]["text"].startswith("Remembered: Likes ramen")
    assert len(await visit.app.memories(visit.person)) == 1


@pytest.mark.failed_calls(
    "chat.getPermalink: channel_not_found", because="the sources are in no channel of this Slack"
)
async def test_the_undo_of_an_answer_is_of_all_that_it_changed(visit: Visit) -> None:
    """A yes to the question about the public memory removes the private one; one Undo: neither."""
    ledger = Ledger(visit.app.pool, visit.app.embedder, visit.app.database)
    for audience, level in ((PUBLIC, 40), (DM, 95)):
        seen = memory_view(visit.person.namespace(audience))
        content = {"food_name": "soba", "preference": level}
        await ledger.say("I love soba", ts=f"{level}.0", content=content, seen=seen)
    before = ledger.printed("store", "store_vectors")
    await visit.open()
    await visit.click_first(f"{ANSWER_ACTION}_yes")
    assert len(await visit.app.memories(visit.person)) == 1
    await visit.click_first(UNDO_CHANGE_ACTION)
    assert ledger.printed("store", "store_vectors") == before


async def test_pause_and_resume(visit: Visit) -> None:
    """The switches work at once."""
    await visit.open()
    await visit.click_home(HOME_PAUSE_ACTION, value="hour")
    assert "Memory is paused until" in await visit.text()
    assert "`/memories resume`" not in await visit.text()  # there is a button
    await visit.click_home(RESUME_ACTION)
    assert "Memory is on." in await visit.text()


async def test_settings_are_chosen_in_the_menu(visit: Visit) -> None:
    """Settings opens their form; the page is in the chosen language at once."""
    await visit.open()
    form = await visit.chosen("settings", "settings_retention_hint")
    memory, language = {"chosen": "on"}, {"chosen": "ja"}
    await visit.submit(form, memory=memory, language=language, retention="0")
    await visit.some_work()
    assert say("ja", "memories_title") in await visit.text()
    assert "記憶はオンです。" in await visit.text()


async def test_the_menu_opens_modals(visit: Visit) -> None:
    """The file is sent and said to be.

    Delete All My Data, below Forget Everything, opens its question with the typed word.
    """
    await visit.open()
    await visit.chosen("export", "exported")
    await visit.click(await visit.chosen("forget", "erase_note"), ERASE_ACTION)
    await visit.modal("erase_ask")


async def test_incognito_is_shown_and_switched(visit: Visit) -> None:
    """Home says whether it is on and where, and switches it."""
    await visit.open()
    assert say("en", "incognito_on_button") in await visit.text()
    await visit.click_home(HOME_MORE_ACTION, value="on")
    where = say("en", "home_incognito_dm")
    assert say("en", "home_incognito_on", where=where) in await visit.text()
    controls = visit.app.wiring.controls
    async with person_transaction(visit.app.pool, visit.person) as connection:
        await switch_on(connection, visit.person, f"{visit.person.team_id}.C1.1.0")
    await visit.open()
    where += say("en", "listed") + say("en", "home_incognito_threads", count=1)
    assert say("en", "home_incognito_on", where=where) in await visit.text()
    await visit.click_home(HOME_MORE_ACTION, value="off")
    assert say("en", "incognito_on_button") in await visit.text()
    assert not await controls.incognito.end(visit.person, EVERYWHERE)


async def test_forget_everything_and_undo(visit: Visit) -> None:
    """It is asked, done and undone in a modal; the page follows."""
    await visit.remember("ramen", "udon")
    await visit.open()
    asked = await visit.chosen("forget", "forget_everything_ask", count=2)
    await visit.click(asked, FORGET_ALL_ACTION)
    done = await visit.modal("forgotten_many", count=2)
    await visit.some_work()
    assert say("en", "home_none") in await visit.text()
    await visit.click(done, UNDO_ACTION)
    await visit.modal("undone", count=2)
    await visit.some_work()
    assert "Likes ramen" in await visit.text()


async def test_a_second_click_leaves_the_undo(visit: Visit) -> None:
    """A second click before the first is answered finds nothing, and the Undo stays."""
    await visit.remember("ramen")
    await visit.open()
    asked = await visit.chosen("forget", "forget_everything_ask", count=1)
    await visit.click(asked, FORGET_ALL_ACTION)
    done = await visit.modal("forgotten", what="Likes ramen")
    await visit.some_work()
    assert "Likes ramen" not in await visit.text()
    responder = visit.app.wiring.responder
    body = {"user": {"id": visit.user}, "team": {"id": visit.person.team_id}, "view": done}
    again = partial(
        _view, visit.app.wiring.memory_actions.everything_forgotten, None, {"value": "everything"}
    )
    client = visit.app.slack.client()
    await responder.update(client, done["id"], await responder.view(body, again))
    await visit.click(await visit.modal("forgotten", what="Likes ramen"), UNDO_ACTION)

    async def shown() -> bool:
        await visit.work()
        return "Likes ramen" in await visit.text()

    await eventually(shown)


async def test_a_command_publishes_a_home_that_was_opened(visit: Visit) -> None:
    """A command that stores something shows in the Home of a person who has ever opened it."""
    typed = {"user": visit.user, "channel": "dm", "command": "/memories", "text": "pause"}
    await visit.control("commands", typed)
    await eventually(visit.paused)
    assert visit.waiting() == []
    await visit.open()
    await visit.control("commands", {**typed, "text": "resume"})
    await visit.some_work()
    assert "Memory is on." in await visit.text()


async def test_a_change_made_by_no_click_waits_for_the_next_opening(visit: Visit) -> None:
    """What a conversation teaches adds no job; the Home shows it when it is opened again."""
    await visit.open()
    await visit.remember("udon")
    assert visit.waiting() == []
    await visit.open()
    assert "udon" in await visit.text()


async def test_another_replica_publishes(visit: Visit) -> None:
    """The process that does the job reads the settings as they are, not as it knew them before."""
    await visit.open()
    connections = visit.app.wiring.connections
    other = Application(connections)
    await other.profiles.settings(visit.person)
    await visit.click_home(HOME_PAUSE_ACTION, value="open")
    await other.home_publisher.publish(visit.person.team_id, visit.user)
    assert say("en", "home_paused") in await visit.text()


async def test_another_persons_click(visit: Visit) -> None:
    """Nobody can click in, or see, another person's Home."""
    await visit.remember("natto")
    view = await visit.open()
    theirs = Visit(visit.app)
    with pytest.raises(Exception, match="403"):
        await visit.act(view, ADD_ACTION, user=theirs.user)
    assert (await visit.control(f"home?as={theirs.user}"))["view"] is None
    await theirs.open()
    assert "natto" not in await theirs.text()


async def test_erased_while_it_is_open(visit: Visit) -> None:
    """Who is erased sees an empty Home; nothing is kept of them for that."""
    await visit.remember("natto")
    await visit.open()
    erased = await erase_person(visit.app.pool, visit.person)
    assert sum(erased.left.values()) == 0
    [job] = visit.waiting()
    assert job["erased"] == "en"
    await visit.work()
    text = await visit.text()
    assert "natto" not in text
    assert say("en", "home_none") in text
    assert not visit.app.rows("SELECT 1 FROM person_settings WHERE user_id = %s", visit.user)
    await visit.click_home(HOME_PAUSE_ACTION, value="hour")
    assert "Memory is paused until" in await visit.text()


async def test_slack_refuses_for_a_while(visit: Visit) -> None:
    """What Slack refuses after a click is published by a job, which fails until Slack takes it."""
    await visit.remember("natto")
    await visit.open()
    visit.app.slack.fault("views.publish", error="internal_error", times=2)
    await visit.act(await visit.view(), HOME_PAUSE_ACTION, value="open")
    await eventually(visit.waiting_for_work)
    with pytest.raises(SlackApiError):
        await visit.work()
    await visit.app.wiring.home_publisher.publish(visit.person.team_id, visit.user)
    assert say("en", "home_paused") in await visit.text()


async def test_what_cannot_be_shown_is_said(visit: Visit) -> None:
    """Where the page cannot be made, the one that is there stays, with a sentence at the click."""
    await visit.remember("natto")
    await visit.open()
    await visit.as_owner("ALTER TABLE store RENAME TO taken_away")
    view = await visit.click_home(HOME_KIND_ACTION, value=ALL_KINDS)
    await visit.as_owner("ALTER TABLE taken_away RENAME TO store")
    clicked = visit.element(view, HOME_KIND_ACTION)["block_id"]
    ids = [block["block_id"] for block in view["blocks"]]
    said = view["blocks"][ids.index(clicked) + 1]
    assert said["text"]["text"] == say("en", "command_broke")
    assert "natto" in await visit.text()
    # What was said is no part of the page: the next one is without it.
    await visit.click_home(HOME_KIND_ACTION, value=ALL_KINDS)
    assert say("en", "command_broke") not in await visit.text()


async def test_what_a_click_has_done_is_said_where_the_page_cannot_be_made(visit: Visit) -> None:
    """A click that was carried out is not said to have changed nothing."""
    await visit.open()
    async with locked(visit, "store"):
        view = await visit.click_home(HOME_PAUSE_ACTION, value="hour")
        assert say("en", "command_uncertain") in json.dumps(view, ensure_ascii=False)
    await visit.open()
    assert "Memory is paused until" in await visit.text()
    async with locked(visit, "store"):
        view = await visit.click_home(RESUME_ACTION)
        assert say("en", "resumed") in json.dumps(view, ensure_ascii=False)


@asynccontextmanager
async def locked(visit: Visit, table: LiteralString) -> AsyncIterator[None]:
    """Let every reader of a table wait, until they give up."""
    async with await AsyncConnection.connect(visit.app.database) as owner:
        await owner.execute(f"LOCK TABLE {table}")
        yield
