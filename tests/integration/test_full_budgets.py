"""A turn where everything is too much at once, and what it asks of the embedding model."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest

from bot.locale import Language, say
from bot.pipeline.prompt import (
    REPLY_INSTRUCTIONS,
)
from tests.integration.app import App


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


def sections(prompt: list[dict[str, Any]]) -> dict[str, str]:
    """Return what the newest prompt frames, by name; the instructions are before all of it."""
    system = str(prompt[0]["content"])
    assert system.startswith(REPLY_INSTRUCTIONS)
    framed = system.removeprefix(REPLY_INSTRUCTIONS)
    others = str(prompt[-2]["content"])
    return dict(re.findall(r"<(\w+)>\n(.*?)\n</\1>", framed + others, re.S))


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
