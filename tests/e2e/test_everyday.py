"""Forty everyday messages, without a key: what is answered and what is remembered of each.

docs/reference/everyday-messages.md holds the transcript, and each run must equal it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.locale import LANGUAGES, Language
from bot.views.labels import describe
from tests.e2e.messages import Human, footers, is_notice
from tests.e2e.world import World

pytestmark = [pytest.mark.slow, pytest.mark.one_mode]

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "everyday-messages.md"
MESSAGES: dict[Language, tuple[str, ...]] = {
    "en": (
        "Hi!",
        "What can you do?",
        "I like ramen and I'm allergic to peanuts.",
        "I live in Osaka and I work as a nurse.",
        "What should I have for lunch?",
        "I'm learning Rust",
        "My sister loves sushi.",
        "I might move to Berlin next year.",
        "I used to play the violin.",
        "I love natto. Just kidding!",
        "Do I like pizza?",
        "My password is hunter2-Blue-Kettle",
        "Please keep your answers short.",
        "Actually, I don't like ramen anymore.",
        "I moved to Tokyo.",
        "Where do I live?",
        "I have diabetes. Don't remember this.",
        "Can you write a poem about the sea?",
        "What do you remember about me?",
        "Forget my interest in Rust",
    ),
    "ja": (
        "こんにちは",
        "何ができますか？",
        "ラーメンが好きです。ピーナッツアレルギーがあります。",
        "大阪に住んでいます。看護師として働いています。",
        "今日のランチは？",
        "AWSに興味があります",
        "妹は寿司が大好きです。",
        "来年ベルリンに引っ越すかもしれません。",
        "昔はバイオリンを弾いていました。",
        "納豆が大好きです。冗談です。",
        "私はピザが好きですか？",
        "パスワードは hunter2-Blue-Kettle です",
        "短く答えてください。",
        "ラーメンには飽きました。",
        "東京に引っ越しました。",
        "私はどこに住んでいますか？",
        "糖尿病です。これは覚えないで。",
        "海についての詩を書いて。",
        "私について何を覚えていますか？",
        "AWSに興味があることは忘れて",
    ),
}
MOST = 12  # lines of a cell: a longer text is cut off
HEAD = """# Forty everyday messages

One person writes twenty messages in English, another much the same in Japanese, each in a direct
message and without an OpenAI key, so that the [stand-in model](stand-in-model.md) answers. It
understands the sentences of its table only and says so for every other.
`tests/e2e/test_everyday.py` sends them to the running app and compares this page with what
happened. The last column lists everything that is remembered after the message; it is empty where
nothing changed. Buttons and footers are left out, `(today)` replaces each date, and `…` marks a
cut.
"""


def cell(text: str) -> str:
    """Return a text as one cell of a table, with every date as “today”."""
    text = re.sub(r"<!date\^[^>]*>", "today", text)
    lines = [line for line in text.replace("|", "\\|").splitlines() if line.strip()]
    return "<br>".join(lines if len(lines) < MOST else [*lines[:3], "…"])


def shown(world: World, human: Human, text: str) -> str:
    """Send a message; return the answer and what the app showed with it."""
    said = world.say(human, text)
    world.handled(said)
    world.settled()
    after = [m for m in world.seen(human) if m["user"] == world.bot and m["ts"] > said.ts]
    lines = []
    for message in after:
        if is_notice(message) and message.get("thread_ts") != said.thread_ts:
            continue
        lines.append(message["text"])
        assert footers(message) or is_notice(message)
    assert lines, f"No answer to {text!r}."
    return "\n".join(lines)


def transcript(world: World, language: Language) -> list[str]:
    """Send one language's messages; return a row of the table for each."""
    human = world.human("Ann", locale="ja-JP" if language == "ja" else "en-US")
    rows, before = [], "–"
    for text in MESSAGES[language]:
        answer = shown(world, human, text)
        values = [row["value"] for row in world.formed(human)]
        lines = [describe(language, value["kind"], value["content"]) for value in values]
        now = "\n".join(lines) or "–"
        changed = "" if now == before else now
        rows.append(f"| {cell(text)} | {cell(answer)} | {cell(changed)} |")
        before = now
    return rows


def test_the_page_is_what_happens(world: World, tmp_path: Path) -> None:
    """Each message gets the answer of the page, and exactly what it lists is remembered."""
    page = HEAD
    for language in LANGUAGES:
        page += f"\n## {'English' if language == 'en' else '日本語'}\n\n"
        page += "| message | answer | remembered then |\n|---|---|---|\n"
        page += "\n".join(transcript(world, language)) + "\n"
    found = tmp_path / PAGE.name
    found.write_text(page, "utf-8")
    assert PAGE.read_text("utf-8") == page, f"What happened is in {found}: copy it if it is right."
