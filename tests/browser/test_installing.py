"""The way from the playground's page to a workspace of one's own."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from playwright.async_api import expect

from tests.browser.conftest import Visit
<<<<<<< HEAD
from tests.browser.showcase import Showcase
from tests.browser.test_accessibility import findings


async def test_consent_by_keyboard(show: Showcase, visit: Visit) -> None:
    """The page of consent is accessible; Allow goes back with a code, Cancel with an error."""
    asked = {
        "client_id": CLIENT_ID,
        "scope": "chat:write,files:read,im:history",
        "redirect_uri": f"{show.url}/",
        "state": "the state",
    }
    visitor = await visit(show.playground, show.person("Ben"), theme="dark")
    page, answers = visitor.page, []
    for scope, last in ((True, "Cancel"), (False, "Allow")):
        await page.goto(f"{show.url}/oauth/v2/authorize?{urlencode(asked)}")
        assert await findings(page) == []
        await page.keyboard.press("Tab")
        await expect(page.get_by_label("Install as")).to_be_focused()
        await page.get_by_label("Install as").select_option("Ben, Playground")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("checkbox")).to_be_checked(checked=True)
        if not scope:
            await page.keyboard.press("Space")
        await page.get_by_role("button", name=last).press("Enter")
        await page.wait_for_url(lambda url: "state=" in url and "redirect_uri" not in url)
        answers.append(parse_qs(urlsplit(page.url).query))
    assert answers[0] == {"error": ["access_denied"], "state": ["the state"]}
    given = show.slack.workspaces.codes[answers[1]["code"][0]]
    assert (given.user, given.scopes) == (
        show.person("Ben"),
        frozenset({"chat:write", "im:history"}),
    )
=======
from tests.browser.visitor import Playground
from tests.conftest import json_server


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
>>>>>>> main
