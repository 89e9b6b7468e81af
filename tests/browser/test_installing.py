"""The way from the playground's page to a workspace of one's own."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.conftest import json_server
from tests.playground import Playground


async def test_the_page_links_to_slacks_form_and_names_the_command(
    visit: Visit,
) -> None:
    """The link and the command that `kioku up` gives are in the sidebar, in each language."""
    url = "https://api.slack.com/apps?new_app=1&manifest_json=%7B%7D"
    more = ("--create-app-url", url, "--setup-command", "kioku setup")
    with json_server(
        "kioku_stand_in.playground", "--manifest", "manifest.yml", *more
    ) as server:
        visitor = await visit(Playground(server.url))
        link = visitor.page.get_by_role("link", name="Use It in Your Slack")
        await expect(link).to_be_visible()
        href = await link.get_attribute("href") or ""
        assert parse_qs(urlsplit(href).query)["manifest_json"] == ["{}"]
        await expect(visitor.page.get_by_text("kioku setup")).to_be_visible()
