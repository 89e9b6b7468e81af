"""What is not Slack's or not well-formed is refused; odd messages are answered."""

from __future__ import annotations

import json

import pytest

from bot.locale import say
from tests.e2e.messages import told
from tests.e2e.signed import FORM, JSON, post, signed_headers
from tests.e2e.world import World

MARK = "xylophone marmalade"


def stored(world: World) -> int:
    """Return how many messages were ever stored."""
    [row] = world.rows("SELECT count(*) AS n FROM inbox_events")
    return int(row["n"])


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"type": "event_callback", "event": {"text": "xylophone marmalade"', JSON),
        (b"", JSON),
        (b"[]", JSON),
        (b'["xylophone marmalade"]', JSON),
        (b"3", JSON),
        (b"null", JSON),
        (b'"xylophone marmalade"', JSON),
        (b"{}", JSON),
        (b'{"type": "event_callback"}', JSON),
        (b'{"type": "event_callback", "event": "xylophone marmalade"}', JSON),
        (b'{"type": "event_callback", "event": {"type": "message"}}', JSON),
        (b'{"type": "event_callback", "authorizations": 3, "event": {"type": "message"}}', JSON),
        (b"%%%&&&=;;;xylophone marmalade", FORM),
        (b"payload=xylophone%20marmalade", FORM),
        (b"payload=%5B%5D", FORM),
        (b"command=%2Fmemories", FORM),
        (b"command=%2Funknown&user_id=U1&team_id=T1", FORM),
        (b'{"text": "\xff\xfe"}', JSON),
        (b"text=\xff\xfe", FORM),
        (b"\x00\x01\x02", JSON),
    ],
)
def test_a_malformed_body_is_refused(http_world: World, body: bytes, kind: str) -> None:
    """A body that no Slack would send is not stored, not quoted and does no harm."""
    before = stored(http_world)
    http_world.spoken.append(MARK)
    status, answer = post(http_world, body, signed_headers(http_world, body, kind))
    assert status == 200 or 400 <= status < 500
    # A command that cannot be read is answered with a sentence.
    assert (
        not answer or status >= 400 or say("en", "request_unreadable") in json.loads(answer)["text"]
    )
    assert MARK not in answer
    assert stored(http_world) == before


@pytest.mark.parametrize("text", [":tada:", "🎉", "👨‍👩‍👧‍👦", ":+1::skin-tone-3:", "?", "…"])
def test_an_emoji_only_message_is_answered(world: World, text: str) -> None:
    """A message without a word gets an answer and leaves no memory."""
    ann = world.human()
    assert world.ask(ann, text).text
    assert world.formed(ann) == []


def test_a_message_of_40000_characters_is_answered(world: World) -> None:
    """The longest message Slack takes is answered; what the model is told is bounded."""
    ann = world.human()
    text = ("I love ramen. " + "The quick brown fox says hello to the lazy dog. " * 900)[:39_988]
    reply = world.ask(ann, f"{text} Goodbye now!")
    assert reply.text
    [prompt] = world.journal("reply", "responses")
    assert "Goodbye now!" in told(prompt)
    assert 30_000 < len(told(prompt)) < 60_000
    world.formed(ann)


@pytest.mark.parametrize("text", ["I love\x00 ramen\x00", "\x00I love ramen"])
def test_a_nul_byte_does_no_harm(world: World, text: str) -> None:
    """A character PostgreSQL cannot store costs neither the answer nor the memory."""
    ann = world.human()
    assert "ramen" in world.ask(ann, text).text
    assert [content["food_name"] for content in world.formed_contents(ann)] == ["ramen"]
    assert "ramen" in world.command(ann, "/memories", "\x00")["text"]


def test_no_text_is_logged_at_any_level(world: World) -> None:
    """With every line logged, none holds a word of a message, an answer or a memory."""
    ann = world.human()
    begin = len(world.app.said())
    world.script("The xylophone answers.", match="xylophone")
    said = world.say(ann, "I love xylophone marmalade")
    world.reply(said)
    world.formed(ann)
    world.command(ann, "/memories")
    world.command(ann, "/forget", "xylophone")
    world.model_fault(status=500, times=-1)
    world.model_fault(kind="formation", status=500, times=3)
    held = world.say(ann, "Shall I eat xylophone marmalade?", under=said)
    world.until(lambda: world.answers(held) or None, "a notice that the model is away")
    world.slack_fault("chat.startStream", error="internal_error")
    world.model_fault(event="failed", break_after_chars=5, times=-1)
    jam = world.say(world.human(), "And xylophone jam?")
    world.until(lambda: world.answers(jam) or None, "another such notice")
    assert "warning" in world.app.said()[begin:]
    assert "xylophone" not in world.app.said()[begin:]
