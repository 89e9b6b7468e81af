"""The page of consent, other workspaces on the playground's page, and the way to one's own."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

from playwright.async_api import expect

from slack_playground.slack import CLIENT_ID
from tests.browser.conftest import Visit
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
