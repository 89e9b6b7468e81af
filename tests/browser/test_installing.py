"""The page of consent, other workspaces on the playground's page, and the way to one's own."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.async_api import Page, expect

from slack_playground.slack import CLIENT_ID
from tests.browser.conftest import Visit
from tests.browser.showcase import Showcase
from tests.browser.test_accessibility import findings
from tests.browser.visitor import Playground, Visitor
from tests.conftest import json_server


async def consent(show: Showcase, visitor: Visitor, **query: str) -> Page:
    """Open the page of consent in the visitor's browser; it leads back to the playground."""
    asked = {
        "client_id": CLIENT_ID,
        "scope": "chat:write,files:read,im:history",
        "redirect_uri": f"{show.url}/",
        "state": "the state",
        **query,
    }
    await visitor.page.goto(f"{show.url}/oauth/v2/authorize?{urlencode(asked)}")
    await visitor.page.wait_for_selector("[data-ready]")
    return visitor.page


ASKS = {
    "Ben": ("Kioku is requesting permission to access the Playground workspace", "Cancel"),
    "Aya": (
        "KiokuがPlaygroundワークスペースにアクセスする権限をリクエストしています",
        "キャンセル",
    ),
}


@pytest.mark.parametrize(
    ("theme", "phone", "name"), [("light", False, "Ben"), ("dark", True, "Aya")]
)
async def test_cancel(show: Showcase, visit: Visit, theme: str, phone: bool, name: str) -> None:
    """The page of consent speaks the person's language; Cancel goes back with access_denied."""
    user, (heading, cancel) = show.person(name), ASKS[name]
    one = await visit(show.playground, user, phone=phone, theme=theme, reduced_motion="reduce")
    page = await consent(show, one)
    await expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    assert await findings(page) == []
    wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0
    await page.get_by_role("button", name=cancel).click()
    await page.wait_for_url(lambda url: "error=" in url)
    answer = parse_qs(urlsplit(page.url).query)
    assert answer == {"error": ["access_denied"], "state": ["the state"]}


async def test_allow_by_keyboard(show: Showcase, visit: Visit) -> None:
    """An optional scope is unchecked, and consent given for the chosen workspace, without mouse."""
    other = show.slack.workspaces.add("Acme", like=show.slack)
    ben = show.person("Ben")
    one = await visit(show.playground, ben)
    page = await consent(show, one)
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("Workspace")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("the Acme workspace")
    await expect(page.get_by_label("Workspace")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("Signed in as")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("checkbox")).to_be_focused()
    await page.keyboard.press("Space")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Allow")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.wait_for_url(lambda url: "code=" in url)
    answer = parse_qs(urlsplit(page.url).query)
    assert answer["state"] == ["the state"]
    given = show.slack.workspaces.codes[answer["code"][0]]
    assert (given.team_id, given.user) == (other.workspace.identity.team_id, ben)
    assert given.scopes == {"chat:write", "im:history"}


async def test_the_page_links_to_slacks_form_and_names_the_command(visit: Visit) -> None:
    """The link and the command that `kioku up` gives are in the sidebar, in each language."""
    url = "https://api.slack.com/apps?new_app=1&manifest_json=%7B%7D"
    more = ("--create-app-url", url, "--setup-command", "kioku setup")
    with json_server("kioku_stand_in.playground", "--manifest", "manifest.yml", *more) as server:
        visitor = await visit(Playground(server.url))
        link = visitor.page.get_by_role("link", name="Use It in Your Slack")
        await expect(link).to_be_visible()
        href = await link.get_attribute("href") or ""
        assert parse_qs(urlsplit(href).query)["manifest_json"] == ["{}"]
        await expect(visitor.page.get_by_text("kioku setup")).to_be_visible()
