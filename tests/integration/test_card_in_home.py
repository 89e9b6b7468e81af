"""The card in Home: its questions, its preview, and taking a line back."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.ui.panel import MENU
from memory import COLLEAGUES
from tests.conftest import Server
from tests.integration.app import App, receiving
from tests.integration.person import SlackPerson, shown
from tests.integration.playground_slack import PlaygroundSlack

pytestmark = pytest.mark.one_database


@pytest.fixture
def slack(own_playground: Server) -> PlaygroundSlack:
    """A Slack that delivers to the app of one test."""
    return PlaygroundSlack(own_playground)


@pytest.fixture(params=["en", "ja"])
async def ann(app: App, request: pytest.FixtureRequest) -> AsyncIterator[SlackPerson]:
    """A person in front of Home."""
    async with receiving(app):
        yield SlackPerson(app, request.param)


async def test_home_has_the_card_with_its_questions_and_preview(ann: SlackPerson) -> None:
    """Answers of the form are the card; *Preview* shows what a colleague sees; *Undo* works."""
    home = await ann.open_home()
    assert ann.sentence("card_none") in shown(home)
    await ann.press(home, MENU, "questions")
    form = await ann.form_opens()
    await ann.submit(form, reviews="In the pull request", focus="Before ten")
    home = await ann.changed(home)
    assert "In the pull request" in shown(home)
    assert ann.sentence("card_used", count=0) in shown(home)
    home = await ann.click(home, MENU, "preview")
    assert ann.sentence("card_says", who="").strip(":： ") in shown(home)
    memory = await ann.memory("In the pull request")
    assert memory.namespace.audience == COLLEAGUES
    home = await ann.click(home, MENU, f"hide {memory.key}")
    assert ann.sentence("card_hidden") in shown(home)
    home = await ann.click(home, "undo", "change")
    [back] = [m for m in await ann.app.memories(ann.person) if m.key == memory.key]
    assert back.namespace.audience == COLLEAGUES
