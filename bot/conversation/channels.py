"""A conversation whose id Slack changes: everything that names the old id names the new one.

Slack gives a private channel another id when it becomes one of the organisation or is converted.
Source: https://docs.slack.dev/reference/events/channel_id_changed
"""

from __future__ import annotations

import logging

from bot.app import App
from bot.conversation.audiences import invalidate_kind
from bot.conversation.turns import schedule_formation
from bot.queue.queue import BACKGROUND
from memory import Person
from memory.postgres import execute_statement, load_statements, person_transaction
from memory.store import change_channel as change_channel_of_memories
from memory.store import change_channel_of_kept

log = logging.getLogger(__name__)

CHANGE_CHANNEL = "change_channel"
_SQL = load_statements("bot.conversation", "channels")


async def change_channel_later(app: App, team: str, old: str, new: str) -> None:
    """Add the job that changes the id everywhere, and look both conversations up again."""
    for channel in (old, new):
        await invalidate_kind(app, team, channel)
    arguments = {"team": team, "old": old, "new": new}
    jobs = {f"{CHANGE_CHANNEL}:{team}.{old}": arguments}
    await app.queue.defer(app.pool, CHANGE_CHANNEL, jobs, queue=BACKGROUND)


async def change_channel(app: App, team: str, old: str, new: str) -> None:
    """Change the id in the rows of each person of the conversation; run as a job. Idempotent."""
    people = await execute_statement(
        app.pool, _SQL["people"], {"team": team, "old": old}
    )
    for row in people:
        person = Person(team, row["user_id"])
        async with person_transaction(app.pool, person, locked=True) as transaction:
            await change_channel_of_memories(transaction, old, new)
            values = {"old": old, "new": new}
            await transaction.execute(_SQL["change_messages"], values)
            await change_channel_of_kept(transaction, old, new)
            await transaction.execute(_SQL["change_off"], values)
            # The job that waits names the old audience, and finds no words there.
            await schedule_formation(app, transaction, new)
    log.info("a conversation has another id: changed for %d people", len(people))
