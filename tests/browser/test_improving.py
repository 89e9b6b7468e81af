"""An exchange is shared, instructions are proposed, approved and rolled back, on the page."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from playwright.async_api import expect

from bot.locale import say
from tests.browser.conftest import Visit
from tests.browser.visitor import Playground
from tests.conftest import ROOT, Server, json_server, login_of
from tests.kioku_process import ended, ready, running

ADVICE = say("en", "feedback_length")


async def test_instructions_are_improved_and_rolled_back(
    visit: Visit, database: str, stand_in: Server, tmp_path: Path, pictures: Path
) -> None:
    """A person shares, an admin reads the difference and approves; the next answers show it."""
    settings = {
        "DATABASE_URL": login_of(database),
        **stand_in.model_settings,
        "KIOKU_REPLY_MODEL": "kioku-stand-in",
    }

    def system() -> str:
        entries = stand_in.call("/_model/journal")["entries"]
        inputs = [one["body"]["input"] for one in entries if one["endpoint"] == "responses"]
        said = [one for one in inputs if "You are Kioku" in json.dumps(one[0])]
        return str(said[-1][0]["content"])

    with json_server("playground", "--manifest", str(ROOT / "manifest.yml"), "--no-model") as slack:
        playground = Playground(slack.info["url"].rstrip("/"))
        person, admin = playground.person(), playground.person()
        settings |= {
            **slack.socket_settings,
            "KIOKU_ADMINS": admin,
            "PORT": "0",
        }
        with running(tmp_path, "run", **settings) as kioku:
            await asyncio.to_thread(ready, kioku)
            ann = await visit(playground, person)
            await ann.ask("What is a monad?")
            await ann.last.get_by_role("button", name=say("en", "feedback_bad_label")).click()
            form = ann.page.get_by_role("dialog")
            await form.get_by_label(ADVICE).check()
            await form.get_by_label(say("en", "feedback_share"), exact=True).check()
            await ann.page.screenshot(path=pictures / "share.png")
            await form.get_by_role("button", name=say("en", "feedback_send")).click()
            await expect(form).to_contain_text(say("en", "feedback_thanks"))
            await form.get_by_role("button", name=say("en", "modal_close")).last.click()

            made = await asyncio.to_thread(
                ended, tmp_path, "improve", "--yes", "--only", "style", **settings
            )
            assert made.code == 0, made.err
            boss = await visit(playground, admin)
            proposal = boss.messages.filter(has_text="How I answer")
            await expect(proposal).to_contain_text(f"+ {ADVICE}")
            await boss.page.screenshot(path=pictures / "proposed.png")
            await proposal.get_by_role("button", name="Approve").click()
            await expect(proposal).to_contain_text("These instructions are in use")
            await boss.page.screenshot(path=pictures / "approved.png")
            await ann.ask("And a functor?")
            assert ADVICE in system()
            await proposal.get_by_role("button", name="Roll Back").click()
            await expect(proposal).to_contain_text("no longer in use")
            await boss.page.screenshot(path=pictures / "rolled-back.png")
            await ann.ask("And an arrow?")
            assert ADVICE not in system()
