"""The published event shapes, and malformed requests, at the app as a process, in both modes."""

from __future__ import annotations

import json
import re
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

import pytest

from bot.locale import say
from tests.collector import Collector
from tests.e2e.messages import Json
from tests.e2e.signed import FORM, post, signed_headers
from tests.e2e.world import World
from tests.event_shapes import CHANNEL, PUBLISHED, TEAM, USER, filled

pytestmark = pytest.mark.slow

MALFORMED: dict[str, Any] = {
    "a field is missing": {"ts": None},
    "another type": {"channel": ["D1"]},
    "an absurd time": {"ts": "9" * 30},
    "nesting": {"thread_ts": [[[[["x"]]]]]},
}


def envelope(world: World, name: str, number: int, user: str, channel: str) -> Json:
    """Return a filled shape as the event of a person in the workspace of `world`."""
    text = json.dumps(filled(name, number))
    for old, new in ((TEAM, world.team), (USER, user), (CHANNEL, channel)):
        text = text.replace(old, new)
    found: Json = json.loads(text)
    return {**found, "event_id": f"EvShape{world.app.mode}{number}"}


def logged(log: str) -> list[str]:
    """Return the lines of the level error, and those that name an exception."""
    return [line for line in log.splitlines() if re.match(r"\S+ error |.*Error at", line)]


@pytest.mark.failed_calls("*", because="The shapes name messages that do not exist or are deleted.")
def test_published_shapes_are_acknowledged(world: World) -> None:
    """Each of the 96 shapes is acknowledged over HTTP and Socket Mode, and logs no exception."""
    ann, begin = world.human(), len(world.app.said())
    said = world.say(ann, "hello")
    world.reply(said)
    numbers: list[int] = []
    for number, name in enumerate(sorted(PUBLISHED)):
        raw = envelope(world, name, number, ann.id, said.channel)
        numbers += world.playground("events", {"raw": raw})["deliveries"]
    found = world.delivered(numbers)
    assert len(found) == len(PUBLISHED) == 96
    assert [one for one in found if one["outcome"] != "acked"] == []
    world.settled()
    assert logged(world.app.said()[begin:]) == []


def test_malformed_events_are_acknowledged(world: World) -> None:
    """A malformed message is acknowledged at once, stored nowhere, and logged by its type alone."""
    ann = world.human()
    said = world.say(ann, "hello")
    world.reply(said)
    begin = len(world.app.said())
    for number, change in enumerate(MALFORMED.values()):
        broken = envelope(world, "MessagePayload", 1_000 + number, ann.id, said.channel)
        broken["event"] |= change
        numbers = world.playground("events", {"raw": broken})["deliveries"]
        [delivery] = world.delivered(numbers)
        assert (delivery["outcome"], len(delivery["attempts"])) == ("acked", 1)
        assert not world.rows(
            "SELECT 1 FROM inbox_events WHERE event_id = %s", str(broken["event_id"])
        )
    log = world.app.said()[begin:]
    assert logged(log) == []
    assert "xylophone" not in log
    assert world.ask(ann, "I love ramen").text


def test_a_malformed_command_is_answered_with_an_error(http_world: World) -> None:
    """A command without the person's id is answered with one sentence that nothing was done."""
    form = {
        "command": "/memories",
        "text": "覚えて、ラーメンが好きです",
        "team_id": http_world.team,
        "channel_id": "C1",
    }
    body = urlencode(form).encode()
    status, answer = post(http_world, body, signed_headers(http_world, body, FORM))
    assert status == 200
    assert json.loads(answer)["text"] == say("ja", "request_unreadable")
    assert json.loads(answer)["response_type"] == "ephemeral"


def test_a_malformed_form_is_answered_with_an_error(http_world: World) -> None:
    """A form whose values cannot be read is replaced by one sentence; a closed one is dropped."""
    view = {"id": "V1", "type": "modal", "private_metadata": '{"language": "ja"}'}
    broken = {**view, "state": {"values": {"b": []}}}
    person = {"user": {"id": "U1"}, "team": {"id": http_world.team}}
    for kind, told in (("view_submission", True), ("view_closed", False)):
        body = urlencode({"payload": json.dumps({"type": kind, **person, "view": broken})}).encode()
        status, answer = post(http_world, body, signed_headers(http_world, body, FORM))
        assert status == 200
        assert bool(answer) is told
        if told:
            shown = json.loads(answer)
            assert shown["response_action"] == "update"
            assert say("ja", "request_unreadable") in json.dumps(shown, ensure_ascii=False)


def test_an_unknown_button_is_answered_with_an_error(http_world: World) -> None:
    """A click on a button that this version does not have is answered at its response_url."""
    with closing(Collector()) as slack:
        click = {
            "type": "block_actions",
            "user": {"id": "U1"},
            "team": {"id": http_world.team},
            "channel": {"id": "D1"},
            "response_url": slack.url,
            "actions": [{"type": "button", "action_id": "of_an_older_version", "block_id": "b"}],
        }
        body = urlencode({"payload": json.dumps(click)}).encode()
        assert post(http_world, body, signed_headers(http_world, body, FORM)) == (200, "")
        [told] = [json.loads(one) for one in slack.bodies]
    assert told["text"] == say("en", "request_unreadable")
    assert (told["response_type"], told["replace_original"]) == ("ephemeral", False)
