"""Ratings of answers by the people who asked: the `feedback` table."""

from __future__ import annotations

from bot.app import App
from bot.ui.acts import Comment, Rate
from bot.ui.blocks import SlackView
from bot.ui.forms import comment_form, read_comment
from bot.ui.panel import Click, Done
from memory.credentials import redact_texts
from memory.model import Json
from memory.postgres import (
    load_statements,
    person_transaction,
)

_SQL = load_statements("bot", "feedback")


async def rate(app: App, click: Click, act: Rate) -> Done | SlackView | None:
    """Store what a rating button says; a bad one opens the form that asks for a comment.

    A second rating replaces the first. Anybody but the person who asked is told that their rating
    does not count.
    """
    async with person_transaction(app.pool, click.person) as transaction:
        values = {"rating": act.rating, "turn": act.turn}
        rated = await transaction.fetch(_SQL["rate"], values)
    if not rated:
        return click.say("others_answer", beside=True)
    if act.rating == "good":
        return None
    return comment_form(click.localizer, act.turn, rated[0]["comment"], click.place)


async def comment(app: App, click: Click, act: Comment, view: Json) -> Done | None:
    """Store the comment of a submitted form, which may be empty; the form closes."""
    [redacted] = redact_texts(read_comment(view))
    async with person_transaction(app.pool, click.person) as transaction:
        done = await transaction.execute(
            _SQL["comment"],
            {"turn": act.turn, "comment": redacted.text},
        )
    if done.rowcount:
        return None
    # The turn was erased, or became too old, while the form was open.
    return click.say("others_answer", beside=True)
