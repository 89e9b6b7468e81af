"""Credentials in messages: no table holds them, and no model sees them but the one that replies."""

from __future__ import annotations

import json

import pytest

from bot.answering.context import read_thread
from tests.databases import naming
from tests.integration.app import App
from tests.unit.test_credentials import FORMATS, IN_CONTEXT, LABELLED

_WORD = "hunt" + "er2024"
_CARD = "4111 1111 " + "1111 1111"


def asked_of_models(app: App, *kinds: str) -> list[str]:
    """Return the requests of these kinds, oldest first, as text."""
    entries = app.stand_in.call("/_model/journal")["entries"]
    return [
        json.dumps(entry["body"], ensure_ascii=False)
        for entry in entries
        if entry.get("kind") in kinds
    ]


def part_of(secret: str) -> str:
    """Return a piece of a secret that JSON does not escape."""
    return max(secret.replace("\\n", "\n").splitlines(), key=len)[-24:]


@pytest.mark.parametrize(
    ("template", "secret"),
    [
        *FORMATS[::12],
        *IN_CONTEXT[::6],
        *((template, _WORD) for template in LABELLED[::40]),
    ],
)
async def test_a_credential_is_answered_and_not_kept(
    app: App, template: str, secret: str
) -> None:
    """The reply may use it; no table, no formation, no verdict and no later prompt holds it."""
    app.stand_in.call("/_model/journal", method="DELETE")
    place, text = app.slack.place(), template.replace("{}", secret)
    app.script(f"You wrote {secret}")
    asked = await app.ask(place, f"{text}\nI live in Osaka.")
    assert part_of(secret) in app.request_texts()[-1]
    await app.ask(place, "What did I say?")
    await app.form(asked)
    assert naming(app.database, part_of(secret)) == {}
    assert part_of(secret) not in app.request_texts()[-1]
    assert " removed]" in app.request_texts()[-1]
    assert asked_of_models(app, "formation")
    assert part_of(secret) not in "".join(asked_of_models(app, "formation", "verdict"))


async def test_an_answer_that_repeats_it_is_stored_without_it(app: App) -> None:
    """What the answer shows in Slack is not changed."""
    place = app.slack.place()
    app.script(f"{_WORD} is weak, choose another one.")
    asked = await app.ask(place, f"I love ramen. My password is {_WORD}")
    assert app.turn(asked)["reply"] == "[password removed] is weak, choose another one."
    [reply] = app.replies(asked)
    assert reply.startswith(f"{_WORD} is weak, choose another one.")


async def test_a_tool_stores_nothing_of_it(app: App) -> None:
    """A model that copies the password into a memory, with a sentence about something else."""
    place = app.slack.place()
    content = {"kind": "UserFact", "fact": f"Lives in Osaka, {_WORD}"}
    change = {"action": "create", "evidence": "I live in Osaka", "content": content}
    app.script_calls(("memory_change", change))
    asked = await app.ask(
        place, f"My password is {_WORD}.\nRemember that I live in Osaka"
    )
    assert app.outputs()[0]["refused"] == "secret"
    assert await app.memories(asked.person) == []
    assert naming(app.database, _WORD) == {}


async def test_a_thread_that_is_read_is_redacted(app: App) -> None:
    """Others may have posted a key in the thread that the app is called into."""
    place = app.slack.place(channel="public", text=f"our card is {_CARD}")
    later = app.slack.say(
        place.user, place.channel, "<@BOT> sum up", thread_ts=place.root
    )
    message = app.slack.message(place, ts=later["ts"])
    thread = await read_thread(app.slack.api(), message)
    assert [line["text"] for line in thread.lines] == [
        "our card is [card number removed]"
    ]
