"""Ratings of answers by the people who asked: the `feedback` table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from bot.app import App
from bot.ui.blocks import SlackView
from bot.ui.forms import comment_form, final_view, read_comment
from bot.ui.panel import Click, Done
from memory.credentials import redact_texts
from memory.postgres import load_statements, person_transaction

_SQL = load_statements("bot", "feedback")


async def rate(app: App, click: Click) -> Done | SlackView | None:
    """Store what a rating button says; a bad one opens the form that asks for a comment.

    A second rating takes the place of the first. Others than the person who asked are told that
    theirs does not count. Raises `ValueError` for a value that is no button's of ours.
    """
    rating, _, turn = click.value.partition(" ")
    if rating not in ("good", "bad"):
        raise ValueError("This button rates nothing.")
    async with person_transaction(app.pool, click.person) as connection:
        found = await connection.execute(
            _SQL["rate"], {**click.person.ids, "rating": rating, "turn": UUID(turn)}
        )
        row = await found.fetchone()
    if row is None:
        return Done(line=click.reader.say("feedback_others"), beside=True)
    return comment_form(click.reader, turn, row["comment"]) if rating == "bad" else None


async def comment(app: App, click: Click, view: Mapping[str, Any]) -> SlackView:
    """Store the comment of a submitted form; return the thanks."""
    turn, text = read_comment(view)
    [redacted] = redact_texts(text)
    async with person_transaction(app.pool, click.person) as connection:
        done = await connection.execute(
            _SQL["comment"], {**click.person.ids, "turn": UUID(turn), "comment": redacted.text}
        )
    # The turn was erased, or grew too old, while the form was open.
    key = "feedback_thanks" if done.rowcount else "feedback_others"
    return final_view(click.reader, "feedback_title", click.reader.say(key))
