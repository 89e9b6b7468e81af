"""The first minute, and what surrounds a conversation: shortcuts, files, what one looks at."""

from __future__ import annotations

import base64
import json

import pytest

from tests.e2e.world import World

pytestmark = pytest.mark.one_mode

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40


def test_a_message_is_remembered_by_shortcut(world: World) -> None:
    """What was said to people only is remembered once its author points at it, and listed."""
    ann = world.human()
    general = world.channel("public", ann)
    said = world.say(ann, "I love udon", channel=general)
    on = {"channel": general, "message_ts": said.ts}
    shortcut = {"user": ann.id, "callback_id": "remember_this", **on}
    assert world.playground("shortcuts", shortcut)["ok"]
    [told] = world.until(lambda: world.notices(said), "what was remembered")
    assert told["is_ephemeral"]
    assert "udon" in told["text"]
    assert world.playground("shortcuts", {"user": ann.id, "callback_id": "my_memories"})["ok"]
    world.until(
        lambda: "udon" in json.dumps(world.playground(f"views?as={ann.id}")), "the list in a modal"
    )


def test_an_image_is_shown_to_the_model(world: World) -> None:
    """A picture sent with a message reaches the model, whole."""
    ann = world.human()
    content = base64.b64encode(PNG).decode()
    file = world.playground("files", {"user": ann.id, "name": "cat.png", "content": content})
    reply = world.ask(ann, "What is this?", file_ids=[file["id"]])
    assert f"image/png, {len(PNG)} bytes" in reply.text


def test_what_is_looked_at_is_read(world: World) -> None:
    """Asked about this channel, Kioku reads what the person looks at beside it."""
    ann, ben = world.human(), world.human("Ben")
    general = world.channel("public", ann, ben)
    world.say(ben, "The launch moves to Friday", channel=general)
    world.playground("context", {"user": ann.id, "channel": general})
    world.all_delivered()
    question = "What is going on in this channel?"
    world.ask(ann, question)
    [output] = world.tool_outputs(question)
    assert [one["text"] for one in output["messages"]] == ["The launch moves to Friday"]
