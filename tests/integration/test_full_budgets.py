"""A turn where everything is too much at once, and what it asks of the embedding model."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest

from bot.locale import Language, say
from bot.pipeline.prompt import (
    HISTORY_TOKENS,
    INSTRUCTION_TOKENS,
    MEMORY_TOKENS,
    QUESTION_TOKENS,
    RECENT_TOKENS,
    REPLY_INSTRUCTIONS,
    estimated_tokens,
)
from bot.slack.messages import Message
from bot.ui.reply import PART_LIMIT
from tests.integration.app import App
from tests.integration.playground_slack import PersonThread

MANY = 5_000
WISHES = 30
QUESTION = "最初の言葉。" + "とても長い質問です。" * 3_998 + "これが質問の最後の言葉です。"
ANSWER = "\n\n".join(f"Paragraph {i}. " + "It goes on and on. " * 20 for i in range(80)).strip()


# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database


def remember(app: App, prefix: str, count: int, wishes: int = 0) -> None:
    """Store `count` long memories, every tenth an episode, and so many wishes, the last newest."""
    with psycopg.connect(app.database) as owner:
        owner.execute(
            "INSERT INTO store (prefix, key, value, updated_at) SELECT %(prefix)s, 'm' || i,"
            " CASE WHEN i %% 10 = 0 THEN jsonb_build_object('kind', 'Episode', 'content',"
            " jsonb_build_object('observation', repeat('長い話', 40) || i))"
            " ELSE jsonb_build_object('kind', 'UserFact', 'content',"
            " jsonb_build_object('fact', repeat('長い話', 40) || i)) END,"
            " now() - interval '1 day' + i * interval '1 second' FROM generate_series(1, %(n)s) i",
            {"prefix": prefix, "n": count},
        )
        owner.execute(
            "INSERT INTO store (prefix, key, value, updated_at) SELECT %(prefix)s, 'w' || i,"
            " jsonb_build_object('kind', 'UserInstruction', 'content',"
            " jsonb_build_object('instruction', repeat('とても', 15) || '短く答える ' || i)),"
            " now() - interval '1 year' + i * interval '1 second' FROM generate_series(1, %(n)s) i",
            {"prefix": prefix, "n": wishes},
        )
        owner.execute(
            "INSERT INTO store_vectors (prefix, key, field_name, embedding) SELECT prefix, key,"
            " 'content', (SELECT array_agg(random() - 0.5) FROM generate_series(1, 256)"
            " WHERE key <> '')::vector FROM store WHERE prefix = %s",
            (prefix,),
        )


def tell(app: App, like: Message, count: int) -> None:
    """Let so many long turns have been before the one of `like`, not formed yet."""
    app.rows(
        "INSERT INTO messages (id, team_id, user_id, channel_id, thread, audience, ts,"
        " question, words, reply, status, begun_at, ended_at) SELECT gen_random_uuid(), team_id,"
        " user_id, channel_id, thread, audience, (ts::numeric - i)::text,"
        " repeat('質問', 300), repeat('言葉', 150), repeat('答え', 300), status, now(), now()"
        " FROM messages, generate_series(1, %s) i WHERE ts = %s",
        count,
        like.ts,
    )


def sections(prompt: list[dict[str, Any]]) -> dict[str, str]:
    """Return what the newest prompt frames, by name; the instructions are before all of it."""
    system = str(prompt[0]["content"])
    assert system.startswith(REPLY_INSTRUCTIONS)
    framed = system.removeprefix(REPLY_INSTRUCTIONS)
    others = str(prompt[-2]["content"])
    return dict(re.findall(r"<(\w+)>\n(.*?)\n</\1>", framed + others, re.S))


def fits(text: str, cap: int) -> bool:
    """Say whether a part is within its budget, and uses most of it."""
    return cap * 0.7 < estimated_tokens(text) <= cap


def memories_fit(shown: dict[str, str]) -> None:
    """Check that how to answer is within its budget, newest first, and so are all memories."""
    assert fits(shown["preferences"], INSTRUCTION_TOKENS)
    numbers = [int(n) for n in re.findall(r"短く答える (\d+)", shown["preferences"])]
    assert numbers == list(range(WISHES, WISHES - len(numbers), -1))
    assert fits(
        "\n".join(shown[name] for name in ("preferences", "memories", "episodes") if name in shown),
        MEMORY_TOKENS,
    )


def question_fits(prompt: list[dict[str, Any]]) -> None:
    """Check that of the question the beginning and the end are shown."""
    assert len(QUESTION) == 40_000  # the longest that Slack takes
    asked = str(prompt[-1]["content"])
    assert QUESTION_TOKENS * 0.9 < estimated_tokens(asked) < QUESTION_TOKENS + 20
    assert (asked[:20], asked[-20:]) == (QUESTION[:20], QUESTION[-20:])


def whole(app: App, place: PersonThread, asked: Message) -> None:
    """Check that a long answer came whole, in messages that Slack takes."""
    assert app.turn(asked)["status"] == "answered"
    parts = app.replies(asked)
    assert len(parts) > 2
    assert all(len(part) <= PART_LIMIT for part in parts)
    assert "".join("".join(parts).split()) == "".join(ANSWER.split())
    assert {call["outcome"] for call in app.slack.calls()} == {"ok"}


async def test_a_direct_message_with_every_budget_full(app: App) -> None:
    """5,000 memories, 30 wishes, a long history, 40,000 characters: an answer within limits."""
    place = app.slack.place()
    told = await app.ask(place, "Hello")
    remember(app, told.person.namespace("dm").prefix, MANY, WISHES)
    tell(app, told, 25)
    app.slack.forget_calls()
    app.script(ANSWER)
    asked = await app.ask(place, QUESTION)
    whole(app, place, asked)
    prompt = app.prompts()[-1]
    shown = sections(prompt)
    memories_fit(shown)
    question_fits(prompt)
    assert fits(shown["recent_words"], RECENT_TOKENS)
    assert fits("".join(str(m["content"]) for m in prompt[1:-1]), HISTORY_TOKENS)
    assert len(app.turn(asked)["recalled"]) > 10


@pytest.mark.parametrize(
    ("locale", "language", "question"),
    [("en-US", "en", "What is for lunch?"), ("ja-JP", "ja", "お昼は何がいい？")],
)
async def test_embeddings_that_are_down_are_told(
    app: App, locale: str, language: Language, question: str
) -> None:
    """Where the newest memories had to do, the answer says so in the person's language, once."""
    place = app.slack.place(locale=locale)
    told = await app.ask(place, question)
    remember(app, told.person.namespace("dm").prefix, 60, 2)
    app.stand_in.call("/_model/faults", {"endpoint": "embeddings", "status": 500, "times": -1})
    app.script("Here you are.")
    asked = await app.ask(place, question)
    [shown] = app.replies(asked)
    assert shown.startswith(f"Here you are.\n\n{say(language, 'newest_only')}")
    # The line is no part of what was said: the next prompt does not repeat it.
    assert app.turn(asked)["reply"] == "Here you are."
    frames = sections(app.prompts()[-1])
    numbers = [int(n) for n in re.findall(r"長い話(\d+)\"", frames["memories"])]
    assert numbers[:3] == [59, 58, 57]
    assert "短く答える 2" in frames["preferences"]
    app.stand_in.call("/_model/faults", method="DELETE")
    app.script("Here it is.")
    again = await app.ask(place, question)
    assert app.replies(again)[0].startswith("Here it is.")
    assert say(language, "newest_only") not in "".join(app.replies(again))
