"""What people type becomes what Slack would make of it."""

from __future__ import annotations

import pytest

from slack_playground.records import Channel, Json, User
from slack_playground.typed_text import TypedText

USERS = [
    User(id="U0BOT", name="Memo", team="T1", is_bot=True),
    User(id="U0AYA", name="Aya", team="T1"),
]
CHANNELS = [Channel(id="C0GEN", name="general", kind="public", created=0)]


def typed(text: str) -> TypedText:
    """A typed text in a workspace with Memo, Aya and #general."""
    return TypedText(text, USERS, CHANNELS)


def inline(text: str) -> list[Json]:
    """The elements of the only section."""
    (block,) = typed(text).blocks
    (section,) = block["elements"]
    elements: list[Json] = section["elements"]
    return elements


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("a < b & c > d", "a &lt; b &amp; c &gt; d"),
        ("@Memo hi", "<@U0BOT> hi"),
        ("ねえ@Memoさん", "ねえ<@U0BOT>さん"),
        ("<@U0BOT> hi", "<@U0BOT> hi"),
        ("<@U0NONE> hi", "&lt;@U0NONE&gt; hi"),
        (
            "mail@Memo.example.com",
            "<mailto:mail@Memo.example.com|mail@Memo.example.com>",
        ),
        ("in <#C0GEN>", "in <#C0GEN>"),
        ("see https://a.example/x?y=1&z=2.", "see <https://a.example/x?y=1&amp;z=2>."),
        ("https://a.example/を見て", "<https://a.example/>を見て"),
        ("> quoted\nmine", "&gt; quoted\nmine"),
        ("run `rm <x>` now", "run `rm &lt;x&gt;` now"),
        ("`@Memo`", "`@Memo`"),
        ("```\na < b\n```", "```a &lt; b```"),
        ("*bold* and :smile:", "*bold* and :smile:"),
        ("<!channel>", "&lt;!channel&gt;"),
        ("", ""),
    ],
)
def test_the_text_is_escaped_and_linked(text: str, stored: str) -> None:
    """The text field has Slack's escapes, mentions and links."""
    assert typed(text).text == stored


def test_mentions_are_found_outside_code() -> None:
    """A mention in code is no mention."""
    assert typed("@Memo and <@U0AYA>").mentions == ["U0BOT", "U0AYA"]
    assert typed("`@Memo` and `<@U0AYA>`").mentions == []
    assert typed("```@Memo```").mentions == []


def test_the_blocks_say_what_is_what() -> None:
    """Quotes, code, mentions, links and emoji are elements of their own, unescaped."""
    (block,) = typed("> old <x>\n@Aya see `y` ```z```").blocks
    kinds = [element["type"] for element in block["elements"]]
    assert kinds == ["rich_text_quote", "rich_text_section", "rich_text_preformatted"]
    assert block["elements"][0]["elements"] == [{"type": "text", "text": "old <x>"}]
    assert block["elements"][1]["elements"][0] == {"type": "user", "user_id": "U0AYA"}
    assert {"type": "text", "text": "y", "style": {"code": True}} in block["elements"][
        1
    ]["elements"]
    assert inline(":tada:") == [{"type": "emoji", "name": "tada"}]
    assert inline("*b*") == [{"type": "text", "text": "b", "style": {"bold": True}}]
    assert inline("<#C0GEN>") == [{"type": "channel", "channel_id": "C0GEN"}]
    assert inline("at 10:30:45") == [{"type": "text", "text": "at 10:30:45"}]
    assert typed("").blocks == []
