"""Merging duplicates in Slack: from Home and by command, shown first, chosen, undone."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from typing import Any

import pytest

from bot.locale import LANGUAGES, Language, say
from bot.memories import merging
from bot.views.duplicates import MEMORIES_SHOWN, UNDO_MERGE_ACTION, duplicates_view
from bot.views.modal_triggers import DUPLICATES_ACTION
from memory import (
    DM,
    PUBLIC,
    Memory,
    Person,
    SimilarMemories,
    Verifier,
    add_memory,
    edit_memory,
)
from playground.blocks import view_errors
from playground.guidance import view_advice
from tests.conftest import ROOT
from tests.integration.app import App, MakeApp, receiving
from tests.integration.messages import says
from tests.integration.modal_user import ModalUser

# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database

FACTS = ("I live in Osaka", "So I live in Osaka", "I own a red boat", "I own the red boat")
FORM = {"kind": "modal", "evidence": "-"}


class Merging(ModalUser):
    """A person with duplicates, and their modals."""

    async def remember(self, *facts: str, audience: str = DM) -> None:
        """Let the person have facts, each confirmed later than the one before."""
        own = self.person.namespace(audience)
        for fact in facts:
            content = {"fact": fact, "topic": None}
            await add_memory(self.app.pool, self.app.embedder, own, "UserFact", content, FORM)

    async def facts(self) -> list[str]:
        """Return what they have, sorted."""
        return sorted(m.content["fact"] for m in await self.app.memories(self.person))

    async def command(self) -> None:
        """Type the command, in the person's language."""
        text = say(self.language, "usage_merge").removeprefix("/memories ")
        body = {"user": self.person.user_id, "channel": "dm", "command": "/memories", "text": text}
        assert (await self.control("commands", body))["ok"]


def box(view: dict[str, Any], word: str) -> str:
    """Return the block with the box of the group whose kept memory has a word."""
    [found] = [
        box["block_id"]
        for shown, box in pairwise(view["blocks"])
        if box["type"] == "actions" and word in shown["text"]["text"]
    ]
    return str(found)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_duplicates_are_shown_then_merged_then_back(app: App, language: Language) -> None:
    """Nothing changes before the button; another audience and person keep theirs; Undo is one."""
    ann, bob = Merging(app, language), Merging(app, language)
    await ann.remember(*FACTS)
    await ann.remember(FACTS[0], audience=PUBLIC)
    await bob.remember(*FACTS)
    before = await ann.facts()
    async with receiving(app):
        await ann.command()
        view = await ann.modal("merge_about")
        assert view["title"]["text"] == say(language, "merge_title")
        assert await ann.facts() == before
        shown = json.dumps(view["blocks"], ensure_ascii=False)
        for keep, forget in (FACTS[1::-1], FACTS[:1:-1]):
            assert say(language, "merge_keep", what=keep) in shown
            assert say(language, "merge_forget", what=forget) in shown
        assert say(language, "merge_tick", count=2) in shown
        await ann.submit(view)
        done = await ann.modal("merged", count=2)
        assert await ann.facts() == sorted([FACTS[0], FACTS[1], FACTS[3]])
        await ann.click(done, UNDO_MERGE_ACTION)
        await ann.modal("merge_undone", count=4, total=4)
    assert await ann.facts() == before
    assert await bob.facts() == sorted(FACTS)


async def test_the_pair_to_try_is_merged(app: App) -> None:
    """What the documentation says to type, in that order, merges two memories into one."""
    page = (ROOT / "docs" / "explanation" / "memories.md").read_text("utf-8")
    *added, merge = re.findall(r"`/memories ([^`]+)`", page.partition("To try it, ")[2])[:3]
    ann = Merging(app)
    dm = str(app.slack.say(ann.person.user_id)["channel"])
    for text in added:
        await app.wiring.slash_commands.memories(ann.person, "en", text, dm)
    assert await ann.facts() == sorted(text.removeprefix("add ") for text in added)
    async with receiving(app):
        assert merge == say("en", "usage_merge").removeprefix("/memories ")
        await ann.command()
        await ann.submit(await ann.modal("merge_about"))
        await ann.modal("merged", count=1)
    assert await ann.facts() == [added[1].removeprefix("add ")]


async def test_the_button_of_home_and_a_group_left_out(app: App) -> None:
    """Home has the button below the list; a group whose box is cleared stays as it is."""
    ann = Merging(app)
    await ann.remember(*FACTS)
    async with receiving(app):
        await app.wiring.home_publisher.in_use(ann.person)
        await app.wiring.home_publisher.publish(ann.person.team_id, ann.person.user_id)
        home = (await ann.control(f"home?as={ann.person.user_id}"))["view"]
        await ann.click(home, DUPLICATES_ACTION)
        view = await ann.modal("merge_about")
        await ann.submit(view, **{box(view, "Osaka"): []})
        await ann.modal("merged", count=1)
        assert await ann.facts() == sorted([*FACTS[:2], FACTS[3]])
        await ann.command()
        view = await ann.modal("merge_about")
        await ann.submit(view, **{box(view, "Osaka"): []})
        await ann.modal("merge_none_chosen")
    assert len(await ann.facts()) == 3


async def test_what_changed_since_it_was_shown_is_said(app: App) -> None:
    """A memory edited while the modal is open is left out, and the person is told so."""
    ann = Merging(app)
    await ann.remember(*FACTS)
    async with receiving(app):
        await ann.command()
        view = await ann.modal("merge_about")
        [boat] = [m for m in await app.memories(ann.person) if m.content["fact"] == FACTS[2]]
        content = {"fact": "I sold the red boat"}
        await edit_memory(app.pool, app.embedder, ann.person, boat.reference, content, FORM)
        await ann.submit(view)
        await ann.modal("merged", count=1)
        await ann.modal("merge_changed", count=1)
    assert await ann.facts() == sorted([FACTS[1], FACTS[3], "I sold the red boat"])


async def test_without_a_model_nothing_is_offered(app: App) -> None:
    """One sentence says that it could not be checked; without candidates no model is asked."""
    ann = Merging(app)
    asked = app.model_requests()
    await ann.remember("I live in Osaka", "I own a red boat")
    view = await app.wiring.modals.merging.found(ann.person, "en")
    assert view["blocks"][0]["text"]["text"] == say("en", "merge_none")
    await ann.remember(*FACTS)
    for _ in range(9):
        app.stand_in.call("/_model/faults", {"endpoint": "responses", "status": 500})
    view = await app.wiring.modals.merging.found(ann.person, "en")
    assert view["blocks"] == [
        {
            "type": "section",
            "text": {"type": "mrkdwn", "text": say("en", "merge_unchecked"), "verbatim": True},
        }
    ]
    app.stand_in.call("/_model/faults", method="DELETE")
    without = replace(app.wiring.modals.merging, verifier=None)  # KIOKU_VERIFY=off
    view = await without.found(ann.person, "en")
    assert view["blocks"][0]["text"]["text"] == say("en", "merge_no_model")
    assert len(await ann.facts()) == 4
    assert app.model_requests() > asked


async def test_each_call_of_the_model_counts(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search without candidates is no request; between calls the day's tokens are checked."""
    monkeypatch.setattr(merging, "_GROUPS", 1)
    app = await make_app(workspace_tokens_per_day=1, person_messages_per_hour=100)
    app.rows("DELETE FROM token_use")
    ann = Merging(app)
    requests = "SELECT sum(requests)::int AS n FROM person_requests WHERE user_id = %s"
    await app.wiring.modals.merging.found(ann.person, "en")
    assert app.rows(requests, ann.person.user_id) == [{"n": None}]
    await ann.remember(*FACTS)
    asked = app.model_requests()
    view = await app.wiring.modals.merging.found(ann.person, "en")
    assert len([one for one in view["blocks"] if one["type"] == "actions"]) == 1
    assert says(view, "merge_more")
    assert app.model_requests() == asked + 1
    view = await app.wiring.modals.merging.found(ann.person, "en")
    assert view["blocks"][0]["text"]["text"] in [
        say("en", "limit_tokens", count=hours) for hours in range(25)
    ]
    assert app.rows(requests, ann.person.user_id) == [{"n": 1}]


async def test_what_the_verdict_does_not_confirm_is_not_shown(app: App) -> None:
    """Similar memories that say something else are compared by the model and left alone."""
    ann = Merging(app)
    similar = "I live in the red Osaka boat house"  # words: literal
    await ann.remember(similar, "I live in a red Osaka boathouse")
    await ann.remember(*FACTS[:2])
    view = await app.wiring.modals.merging.found(ann.person, "en")
    [boxes] = [one for one in view["blocks"] if one["type"] == "actions"]
    assert box(view, say("en", "merge_keep", what=FACTS[1])) == boxes["block_id"]


async def test_with_memory_off_it_is_not_offered(app: App) -> None:
    """Whose memory is paused is told so, and no model sees the memories."""
    ann = Merging(app)
    await ann.remember(*FACTS)
    await app.wiring.slash_commands.memories(ann.person, "en", "pause", "dm")
    asked = app.model_requests()
    body = {"command": "/memories", "text": "merge"}
    view = await app.wiring.modals.content(body, ann.person, "en")
    assert not says(view, "merge_about")
    assert app.model_requests() == asked


@pytest.mark.parametrize("sizes", [[2] * 60, [201], [101, 100], [1_000]])
def test_the_fullest_view_fits(sizes: list[int]) -> None:
    """Whatever is found, Slack takes it, and it is said where something does not fit."""
    now = datetime.now(UTC)
    groups = [
        tuple(
            Memory(
                namespace=Person("T1", "U1").namespace("C" + "0" * 10),
                key=f"{number}-{member}",
                value={
                    "kind": "UserFact",
                    "content": {"fact": "あ" * 400},
                    "expires_at": "2090-01-01T00:00:00+00:00",
                },
                created_at=now,
                updated_at=now + timedelta(seconds=member),
            )
            for member in range(size)
        )
        for number, size in enumerate(sizes)
    ]
    found = SimilarMemories(groups=tuple(groups), compared=2_000, total=9_999)
    for language in LANGUAGES:
        view = duplicates_view(language, groups, found, more=False)
        assert view_errors(view) == []
        assert view_advice(view) == []
        assert len(view["blocks"]) <= 100
        assert len(json.dumps(view)) < 250_000
        assert len(view["private_metadata"]) <= 3_000
        text = json.dumps(view, ensure_ascii=False)
        assert say(language, "merge_more") in text
        assert say(language, "merge_compared", count=2_000, total=9_999) in text
        shown = text.count(say(language, "merge_forget", what="あ")[:-1])
        assert shown <= MEMORIES_SHOWN
        assert shown + view["private_metadata"].count(" ") <= MEMORIES_SHOWN + 60


async def test_malformed_verdicts_are_asked_for_once_more(app: App) -> None:
    """A malformed answer is asked for again; twice malformed is not checked."""
    ann = Merging(app)
    await ann.remember(*FACTS[:2])
    merger = app.wiring.modals.merging
    assert isinstance(merger.verifier, Verifier)
    bad = {"endpoint": "responses", "output": {"text": "not JSON"}}
    app.stand_in.call("/_model/script", bad)
    view = await merger.found(ann.person, "en")
    assert view["blocks"][0]["text"]["text"] == say("en", "merge_about")
    for _ in range(2):
        app.stand_in.call("/_model/script", bad)
    view = await merger.found(ann.person, "en")
    assert view["blocks"][0]["text"]["text"] == say("en", "merge_unchecked")


async def test_groups_that_a_later_call_leaves_unchecked_are_mentioned(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A twice malformed answer to the second call is mentioned below what the first one found."""
    monkeypatch.setattr(merging, "_GROUPS", 1)
    ann = Merging(app)
    await ann.remember(*FACTS)
    merger = app.wiring.modals.merging
    assert isinstance(merger.verifier, Verifier)
    assert not says(await merger.found(ann.person, "en"), "merge_more")
    judge, calls = Verifier.duplicates, count(1)

    async def malformed_second(verifier: Verifier, groups: Any) -> Any:
        for _ in range(2 if next(calls) == 2 else 0):
            bad = {"endpoint": "responses", "output": {"text": "not JSON"}}
            app.stand_in.call("/_model/script", bad)
        return await judge(verifier, groups)

    monkeypatch.setattr(Verifier, "duplicates", malformed_second)
    view = await merger.found(ann.person, "en")
    assert len([one for one in view["blocks"] if one["type"] == "actions"]) == 1
    assert says(view, "merge_more")
