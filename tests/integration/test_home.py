"""App Home beyond what each surface does: its pages, when it is published, and what goes wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import LiteralString

import pytest
from psycopg import AsyncConnection
from slack_sdk.errors import SlackApiError

from bot.data.person import erase_person
from bot.panel.home import PUBLISH, publish_home
from tests.integration.app import App, MakeApp, receiving
from tests.integration.person import SlackPerson
from tests.person import shown
from tests.waiting import until

pytestmark = pytest.mark.own_slack


@pytest.fixture
async def ann(app: App) -> AsyncIterator[SlackPerson]:
    """A person whose events the playground delivers to the app."""
    async with receiving(app):
        yield SlackPerson(app)


async def as_owner(app: App, statement: LiteralString) -> None:
    """Change something as the database's owner, which may have to wait for the app."""
    async with await AsyncConnection.connect(app.database, autocommit=True) as owner:
        await owner.execute(statement)


async def test_a_click_of_another_person_does_nothing(ann: SlackPerson) -> None:
    """Nobody can click in, or see, another person's Home."""
    await ann.remember("natto")
    home = await ann.open_home()
    bob = SlackPerson(ann.app)
    with pytest.raises(Exception, match="403"):
        await ann.press(home, "forget", by=bob.user)
    assert await bob.home() == {}
    assert "natto" not in shown(await bob.open_home())
    assert await ann.foods() == ["natto"]


@pytest.mark.parametrize("consent", ["notice", "ask"])
async def test_erased_while_it_is_open(make_app: MakeApp, consent: str) -> None:
    """Who is erased sees an empty Home, as somebody new; nothing is kept of them for that."""
    app, asks = await make_app(consent=consent), consent == "ask"
    async with receiving(app):
        ann = SlackPerson(app)
        await ann.remember("natto")
        await ann.press(await ann.open_home(), "open", form="settings")
        form = await ann.click(await ann.form_opens(), "open", form="delete")
        assert ann.sentence("delete_ask") in shown(form)
        erased = await erase_person(ann.app.pool, ann.person)
        assert sum(erased.left.values()) == 0
        await ann.publish_home()
        home = await ann.home()
        assert "natto" not in shown(home)
        assert ann.sentence("panel_none") in shown(home)
        assert (ann.sentence("consent_ask") in shown(home)) is asks
        assert ("Memory is on" in shown(home)) is not asks
        assert not ann.app.rows(
            "SELECT 1 FROM person_settings WHERE user_id = %s", ann.user
        )
        await ann.click(home, "switch", to="off")


async def test_the_panel_below_an_erasure_stays_in_the_language_of_its_person(
    app: App,
) -> None:
    """Nothing is stored any more that says which it is."""
    async with receiving(app):
        aya = SlackPerson(app, "ja")
        await aya.press(await aya.panel(), "open", form="settings")
        form = await aya.click(await aya.form_opens(), "open", form="delete")
        await aya.submit(form, word=aya.sentence("delete_word"))

        async def is_empty() -> bool:
            panel, *_ = await aya.views()
            return aya.sentence("panel_none") in shown(panel)

        await until(is_empty)


async def test_what_slack_refuses_for_a_while_is_published_later(
    ann: SlackPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job fails until Slack takes the page."""
    monkeypatch.setattr("bot.slack.retries.TROUBLE_SECONDS", 0.5)
    await ann.remember("natto")
    await ann.control("home/open", {"user": ann.user, "tab": "home"})
    await ann.delivered()
    [job] = ann.app.take_jobs(PUBLISH)
    ann.app.slack.fault("views.publish", error="internal_error", times=None)
    with pytest.raises(SlackApiError):
        await publish_home(ann.app.core, **job)
    ann.app.slack.clear()
    await publish_home(ann.app.core, **job)
    assert "natto" in shown(await ann.home())


async def test_a_click_is_not_undone_by_the_page_of_an_earlier_opening(
    ann: SlackPerson,
) -> None:
    """What a click says stays where the job of an opening before it is done late."""
    await ann.remember("natto")
    home = await ann.open_home()
    await ann.control("home/open", {"user": ann.user, "tab": "home"})
    await ann.delivered()
    clicked = await ann.click(home, "show", list="changes")
    await ann.publish_home()
    assert shown(await ann.home()) == shown(clicked)


async def test_what_cannot_be_shown_is_said(ann: SlackPerson) -> None:
    """Where the page cannot be made, the one that is there stays, with a sentence above it."""
    await ann.remember("natto")
    home = await ann.open_home()
    await as_owner(ann.app, "ALTER TABLE store RENAME TO taken_away")
    try:
        home = await ann.click(home, "show", list="changes")
    finally:
        await as_owner(ann.app, "ALTER TABLE taken_away RENAME TO store")
    assert ann.sentence("command_broke") in shown(home)
    assert "natto" in shown(home)
    # What was said is no part of the page: the next one is without it.
    home = await ann.click(home, "show", list="changes")
    assert ann.sentence("command_broke") not in shown(home)
