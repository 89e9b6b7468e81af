"""Merging duplicates on the page: 200 of them from Home, and back."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.test_accessibility import findings
from tests.browser.test_whole_story import choose_in_home, close, open_dialog
from tests.browser.visitor import Playground

_WORDINGS = ("I own a {}", "I own the {}", "So I own a {}", "So I own the {}", "I own my {}")
_COLOURS = ("red", "blue", "green", "black", "white")
_THINGS = ("boat", "piano", "bicycle", "tent", "camera", "drone", "sofa", "violin")


async def test_two_hundred_duplicates_are_merged_and_back(
    kioku: Playground, visit: Visit, tmp_path: Path
) -> None:
    """Home shows all 200 in their groups, merges them at once, and one Undo brings them back."""
    things = [f"{colour} {thing}" for colour, thing in product(_COLOURS, _THINGS)]
    facts = [wording.format(thing) for wording, thing in product(_WORDINGS, things)]
    entries = [
        {"audience": "dm", "key": f"fact-{number}", "kind": "UserFact", "content": {"fact": fact}}
        for number, fact in enumerate(facts)
    ]
    file = tmp_path / "kioku.json"
    file.write_text(json.dumps({"format": "kioku-export", "version": 1, "memories": entries}))
    ann = await visit(kioku, kioku.person(), reduced_motion="reduce")
    dialog, home = ann.page.get_by_role("dialog"), ann.page.locator(".home")
    await ann.page.get_by_role("tab", name="Home").click()
    await choose_in_home(ann, "Import Memories")
    await dialog.locator("input[type=file]").set_input_files(file)
    await dialog.get_by_role("button", name="Preview").click()
    await dialog.get_by_role("button", name="Import").click()
    await expect(dialog).to_contain_text("200 added")
    await close(ann)

    find = home.get_by_role("button", name="Find Duplicates")
    await open_dialog(ann, find)
    boxes = dialog.get_by_role("checkbox", name="Merge these 5 memories")
    await expect(boxes).to_have_count(len(things))
    await expect(dialog.get_by_text("Find duplicates again after this")).to_have_count(0)
    await boxes.first.uncheck()
    await boxes.first.check()
    assert await findings(ann.page) == []
    await dialog.get_by_role("button", name="Merge", exact=True).click()
    await expect(dialog).to_contain_text("160 duplicates were merged")
    await dialog.get_by_role("button", name="Undo Merge").click()
    await expect(dialog).to_contain_text("Merge undone: 200 of 200 changes.")
    await close(ann)
    await open_dialog(ann, find)
    await expect(boxes).to_have_count(len(things))
