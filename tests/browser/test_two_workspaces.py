"""Two workspaces install Kioku by OAuth in a browser; one uninstalls it, the other goes on."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

from playwright.async_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.test_accessibility import findings
from tests.browser.visitor import Playground, Visitor
from tests.conftest import json_server, login_of, owner_rows
from tests.kioku_process import ready, running
from tests.loopback import free_port

_LOOKS = 300


async def install(visitor: Visitor, workspace: str, pictures: Path) -> None:
    """Install Kioku in the workspace that the visitor looks at, as a person would."""
    page = visitor.page
    async with page.expect_popup() as opened:
        await page.get_by_role("link", name="Install Kioku").click()
    popup = await opened.value
    heading = popup.get_by_role("heading", level=1)
    await expect(heading).to_contain_text(f"access the {workspace} workspace")
    assert await findings(popup) == []
    await popup.screenshot(path=pictures / f"{workspace}.png", full_page=True)
    await popup.get_by_role("button", name="Allow").click()
    await popup.wait_for_url("**/slack/oauth_redirect?*")
    await expect(popup.get_by_text("Thank you")).to_be_visible()
    await popup.close()
    await expect(page.get_by_text(f"Kioku isn't installed in {workspace}.")).to_have_count(0)


async def in_workspace(page: Page, name: str) -> str:
    """Switch to a workspace of the page; return its id."""
    await page.locator("button.workspace-name").click()
    await page.get_by_role("menuitemradio", name=name).click()
    await expect(page.locator("button.workspace-name")).to_have_text(name)
    await page.wait_for_selector("[data-ready]")
    # What was said is drawn with the next frame.
    await page.evaluate("() => new Promise(d => requestAnimationFrame(() => setTimeout(d, 0)))")
    return str(await page.evaluate("new URLSearchParams(location.search).get('team')"))


def ids(playground: Playground, team: str) -> set[str]:
    """Return the ids of the people and conversations of a workspace."""
    state = playground.get(f"_playground/state?team={team}")
    people = {user["id"] for user in state["users"] if not user["is_bot"]}
    return people | {channel["id"] for channel in state["channels"]}


def rows_of(database: str, team: str) -> dict[str, int]:
    """Return the number of rows about a workspace in each table that has any.

    `workspaces` is left out: it notes when the workspace left.
    """
    tables = owner_rows(
        database,
        "SELECT table_name AS name, column_name AS part FROM information_schema.columns"
        " WHERE table_schema = 'public' AND (column_name = 'team_id'"
        " OR (table_name, column_name) IN (('store', 'prefix'), ('store_vectors', 'prefix')))"
        " AND table_name <> 'workspaces'",
    )
    assert {"store", "store_vectors", "turns"} <= {one["name"] for one in tables}
    found = {}
    for one in tables:
        wanted = team if one["part"] == "team_id" else f"chat.{team}.%"
        [counted] = owner_rows(
            database,
            f'SELECT count(*) AS n FROM "{one["name"]}" WHERE "{one["part"]}" LIKE %s',
            wanted,
        )
        if counted["n"]:
            found[one["name"]] = counted["n"]
    return found


def installed(database: str) -> dict[str, str]:
    """Return the encrypted tokens of each workspace that has the app."""
    rows = owner_rows(database, "SELECT team_id, tokens FROM workspaces WHERE tokens IS NOT NULL")
    return {row["team_id"]: row["tokens"] for row in rows}


async def test_two_workspaces(visit: Visit, database: str, tmp_path: Path, pictures: Path) -> None:
    """Same people, same ids: two tokens, two memories, and one of them is gone without a trace."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with json_server("playground", "--manifest", "manifest.yml") as slack:
        settings = {
            **slack.model_settings,
            "SLACK_API_URL": slack.info["slack_api_url"],
            "SLACK_CLIENT_ID": slack.info["client_id"],
            "SLACK_CLIENT_SECRET": slack.info["client_secret"],
            "SLACK_SIGNING_SECRET": slack.info["signing_secret"],
            "KIOKU_SECRET_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            "KIOKU_PUBLIC_URL": address,
            "KIOKU_UNINSTALL_GRACE_HOURS": "0",
            "KIOKU_REPLY_MODEL": "kioku-stand-in",
            "DATABASE_URL": login_of(database),
            "PORT": str(port),
        }
        slack.call("/_playground/uninstall", {"events": []})
        with running(tmp_path, "run", **settings) as kioku:
            assert ready(kioku) == address
            delivery = {"mode": "http", "url": f"{address}/slack/events", "verify": True}
            slack.call(
                "/_playground/delivery", {**delivery, "install_url": f"{address}/slack/install"}
            )
            playground = Playground(slack.url)
            ben = next(
                user["id"]
                for user in playground.get("_playground/state")["users"]
                if user["name"] == "Ben"
            )
            one = await visit(playground, ben)
            page = one.page
            await expect(page.get_by_text("Kioku isn't installed in Playground.")).to_be_visible()
            await install(one, "Playground", pictures)
            await page.get_by_role("button", name="Add a Workspace").click()
            dialog = page.get_by_role("dialog")
            await dialog.get_by_label("Name").fill("Acme")
            await dialog.get_by_label("Same people and conversations").check()
            await dialog.get_by_role("button", name="Add").click()
            await expect(page.locator("button.workspace-name")).to_have_text("Acme")
            await page.wait_for_selector("[data-ready]")
            await install(one, "Acme", pictures)

            await one.ask("I love sushi")
            await one.remembered("sushi", without="ramen")
            first = await in_workspace(page, "Playground")
            await one.ask("I love ramen")
            await one.remembered("ramen", without="sushi")
            acme = await in_workspace(page, "Acme")
            assert ids(playground, first) == ids(playground, acme)
            assert "sushi" in await one.ask("What shall I eat?")
            assert installed(database).keys() == {first, acme}
            assert not any("xox" in tokens for tokens in installed(database).values())
            assert {"store", "store_vectors", "turns"} <= rows_of(database, acme).keys()

            await page.get_by_role("tab", name="About").click()
            await page.get_by_role("button", name="Uninstall Kioku").click()
            await page.get_by_role("dialog").get_by_role("button", name="Uninstall Kioku").click()
            await expect(page.get_by_text("Kioku isn't installed in Acme.")).to_be_visible()
            for _ in range(_LOOKS):
                if not rows_of(database, acme):
                    break
                await page.wait_for_timeout(200)
            assert rows_of(database, acme) == {}
            assert installed(database).keys() == {first}

            await in_workspace(page, "Playground")
            assert "ramen" in await one.ask("What shall I eat?")
            await one.remembered("ramen", without="sushi")
            assert {"store", "store_vectors", "turns"} <= rows_of(database, first).keys()

            await in_workspace(page, "Acme")
            await install(one, "Acme", pictures)
            assert "sushi" not in await (await one.command("/memories")).inner_text()
            assert acme in installed(database)
            assert "xox" not in kioku.errors
