"""While the embedding model is away the newest memories have to do, and the answer says so."""

from __future__ import annotations

import re

import pytest

from bot.locale import Language, say
from tests.integration.app import App


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
    app.rows(
        "WITH made AS (INSERT INTO store (prefix, key, value, updated_at) SELECT %s, 'm' || i,"
        " jsonb_build_object('kind', 'UserFact', 'content',"
        " jsonb_build_object('fact', 'fact ' || i)),"
        " now() - make_interval(secs => 0.001 * (600 - i))"
        " FROM generate_series(1, 600) i RETURNING prefix, key)"
        " INSERT INTO store_vectors (prefix, key, field_name, embedding)"
        " SELECT prefix, key, 'content', array_fill(1, ARRAY[256])::halfvec FROM made",
        told.person.namespace("dm").prefix,
    )
    app.stand_in.call(
        "/_model/faults", {"endpoint": "embeddings", "status": 500, "times": -1}
    )
    app.script("Here you are.")
    asked = await app.ask(place, question)
    [shown] = app.replies(asked)
    assert shown.startswith(f"Here you are.\n\n{say(language, 'newest_only')}")
    # The line is no part of what was said: the next prompt does not repeat it.
    assert app.turn(asked)["reply"] == "Here you are."
    assert re.findall(r"fact (\d+)", app.context())[:3] == ["600", "599", "598"]
    app.stand_in.call("/_model/faults", method="DELETE")
    app.script("Here it is.")
    again = await app.ask(place, question)
    assert say(language, "newest_only") not in "".join(app.replies(again))
