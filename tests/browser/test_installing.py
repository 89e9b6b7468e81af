"""The page of consent, and other workspaces on the playground's page."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.async_api import Page, expect

from playground.slack import CLIENT_ID
from tests.browser.conftest import Visit
from tests.browser.showcase import Showcase
from tests.browser.test_accessibility import findings
from tests.browser.visitor import Visitor


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


@pytest.mark.parametrize(
    ("theme", "phone", "name", "heading", "cancel"),
    [
        (
            "light",
            False,
            "Ben",
            "Kioku is requesting permission to access the Playground workspace",
            "Cancel",
        ),
        (
            "dark",
            True,
            "Aya",
            "KiokuがPlaygroundワークスペースにアクセスする権限をリクエストしています",
            "キャンセル",
        ),
    ],
)
async def test_cancel(
    show: Showcase, visit: Visit, theme: str, phone: bool, name: str, heading: str, cancel: str
) -> None:
    """The page of consent speaks the person's language; Cancel goes back with access_denied."""
    user = show.person(name)
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


async def test_a_wrong_link(show: Showcase, ben: Visitor) -> None:
    """What Slack would refuse is an error, with nothing to allow."""
    page = await consent(show, ben, client_id="1.2")
    await expect(page.get_by_role("alert")).to_contain_text("invalid_client_id")
    await expect(page.get_by_role("button")).to_have_count(0)
    assert await findings(page) == []


async def test_another_workspace(show: Showcase, visit: Visit) -> None:
    """A workspace is added with the same ids, shown apart, left and uninstalled from."""
    show.slack.workspaces.install_url = "http://127.0.0.1:9/slack/install"
    ben = await visit(show.playground, show.person("Ben"))
    page = ben.page
    await ben.go("general")
    await ben.say("only in the first workspace")
    await expect(ben.messages).to_have_count(1)
    await page.get_by_role("button", name="Add a Workspace").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("Acme")
    await dialog.get_by_label("Same people and conversations").check()
    await dialog.get_by_role("button", name="Add").click()
    await page.wait_for_url("**/?team=*")
    await page.wait_for_selector("[data-ready]")
    team = parse_qs(urlsplit(page.url).query)["team"][0]
    await expect(page.locator("button.workspace-name")).to_have_text("Acme")
    await expect(page.get_by_text("Kioku isn't installed in Acme.")).to_be_visible()
    install = page.get_by_role("link", name="Install Kioku")
    assert await install.get_attribute("href") == f"http://127.0.0.1:9/slack/install?team={team}"
    await ben.go("general")
    await expect(ben.messages).to_have_count(0)
    assert await findings(page) == []
    await ben.say("only in the second")
    await expect(ben.messages).to_have_count(1)
    await page.locator("button.workspace-name").click()
    assert await findings(page) == []
    await page.get_by_role("menuitemradio", name="Playground").click()
    await page.wait_for_url(lambda url: team not in url)
    await page.wait_for_selector("[data-ready]")
    await ben.go("general")
    await expect(ben.messages).to_have_count(1)
    await expect(ben.last).to_contain_text("only in the first workspace")
    await ben.go("Kioku")
    await page.get_by_role("tab", name="About").click()
    await page.get_by_role("button", name="Uninstall Kioku").click()
    await page.get_by_role("dialog").get_by_role("button", name="Uninstall Kioku").click()
    await expect(page.get_by_text("Kioku isn't installed in Playground.")).to_be_visible()
    await expect(page.get_by_role("button", name="Uninstall Kioku")).to_have_count(0)
    sent = [one.name for one in show.slack.deliveries.record if one.kind == "events_api"]
    assert {"app_uninstalled", "tokens_revoked"} <= {*sent}
