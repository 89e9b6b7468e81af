"""Texts of conversations are removed after `KIOKU_HISTORY_DAYS`; their rows stay."""

from __future__ import annotations

from typing import Any, LiteralString

import pytest

from bot.conversation.inbox import store_message
from bot.queue.queue import Queue
from bot.runtime.maintenance import end_history, keep_up
from bot.slack.messages import Message
from memory import Pool
from memory.postgres import execute_statement
from tests.databases import owner_rows
from tests.integration.app import app_without_slack
from tests.integration.messages import following, message

DAY = 86_400


class Kept:
    """The tables of conversations, seen as the owner sees them."""

    def __init__(self, pool: Pool, database: str) -> None:
        self.pool = pool
        self.database = database
        self.app = app_without_slack(pool, Queue(pool), None)

    def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Run a statement."""
        return owner_rows(self.database, statement, *values)

    def turn(
        self, about: Message, days: float, *, formed: bool = True, **more: str
    ) -> None:
        """Store a turn that ended so many days ago."""
        self.rows(
            "INSERT INTO messages (id, team_id, user_id, channel_id, thread,"
            " audience, ts, question, words, reply, status, begun_at, ended_at, formed_at)"
            " VALUES (gen_random_uuid(), %s, %s, %s, %s, 'dm', %s, 'QUESTION', 'WORDS', 'REPLY',"
            " %s, now() - make_interval(secs => %s), now() - make_interval(secs => %s),"
            " CASE WHEN %s THEN now() END) ON CONFLICT (team_id, channel_id, ts) DO UPDATE"
            " SET question = excluded.question, words = excluded.words, reply = excluded.reply,"
            " status = excluded.status, begun_at = excluded.begun_at, ended_at = NULL RETURNING 1",
            *(about.team_id, about.user_id, about.channel_id, about.thread, about.ts),
            more.get("status", "answered"),
            *(days * DAY, days * DAY, formed),
        )

    def texts(self) -> list[tuple[str, str, str | None]]:
        """Return question, words and reply of every turn, oldest first."""
        found = self.rows(
            "SELECT question, words, reply FROM messages WHERE begun_at IS NOT NULL"
            " ORDER BY begun_at"
        )
        return [tuple(row.values()) for row in found]


@pytest.fixture
async def kept(pool: Pool, database: str) -> Kept:
    """Tables of conversations, without workers."""
    made = Kept(pool, database)
    await made.app.queue.open()
    return made


FULL, BLANK = ("QUESTION", "WORDS", "REPLY"), ("", "", None)


async def test_texts_end_and_rows_stay(
    kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    """After 30 days no text of a turn is left; the row is, and so is what is younger."""
    caplog.set_level("INFO")
    old, unformed, young = message(), message(), message()
    kept.turn(old, 31)
    kept.turn(unformed, 30.5, formed=False)
    kept.turn(young, 29)
    await keep_up(kept.app)
    assert kept.texts() == [BLANK, BLANK, FULL]
    left = kept.rows("SELECT formed_at IS NULL AS unformed FROM messages")
    assert [row["unformed"] for row in left] == [False] * 3
    assert "'turns': 2" in caplog.text
    assert "QUESTION" not in caplog.text
    caplog.clear()
    await end_history(kept.pool, 30)
    assert "removed texts" not in caplog.text


@pytest.mark.parametrize(("days", "most"), [(0, 1_000_000), (-1, 1)])
async def test_the_function_keeps_the_last_day_whatever_it_is_given(
    kept: Kept, days: int, most: int
) -> None:
    """The user that serves cannot blank everybody's texts at once."""
    kept.turn(message(), 0.9)
    await store_message(kept.app, message("SOON"))
    statement: LiteralString = "SELECT * FROM end_history(%s, %s)"
    [ended] = await execute_statement(kept.pool, statement, (days, most))
    assert set(ended.values()) == {0}
    assert kept.texts() == [FULL]


async def test_what_was_answered_is_still_known(kept: Kept) -> None:
    """Without its texts a message found again is known as answered, and its thread is followed."""
    old = message(audience="C1", addressed=True)
    kept.turn(old, 40)
    await end_history(kept.pool, 30)
    assert not await store_message(kept.app, old)
    assert await store_message(kept.app, following(old, addressed=False))


async def test_a_message_that_waits_for_too_long_fails(kept: Kept) -> None:
    """The text of a message that was not answered in that time is deleted, too; its turn ends."""
    late, waiting = message("LATE"), message("SOON")
    for one in (late, waiting):
        await store_message(kept.app, one)
    kept.turn(late, 31, status="waiting")
    aged = "UPDATE messages SET ts = (ts::numeric - 31 * 86400)::text WHERE ts = %s"
    kept.rows(aged, late.ts)
    await keep_up(kept.app)
    found = kept.rows(
        "SELECT status, message->>'text' AS text FROM messages ORDER BY ts"
    )
    assert [tuple(row.values()) for row in found] == [
        ("failed", None),
        ("waiting", "SOON"),
    ]
    assert kept.texts() == [BLANK]
