"""The app's post in the thread of a message that is kept for its conversation.

A job makes it, and changes it when the line has ended: by its author's click, an edit or a deletion
of the message, or because its author left or was erased.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from bot.acts.blocks import payload
from bot.app import App
from bot.kept.blocks import kept_payload
from bot.queue.queue import BACKGROUND, Queue
from bot.slack.client import PATIENCE_SECONDS, unless_refused
from bot.slack.posting import find_posted, notice_metadata, post_once
from memory import Person
from memory.postgres import (
    PersonTransaction,
    load_statements,
    person_statement,
    person_transaction,
)
from memory.store import EndedLine, NewLine, end_kept

log = logging.getLogger(__name__)

SHOW_LINE = "show_kept_line"
_SQL = load_statements("bot.kept", "lines")


async def add_post(
    queue: Queue, transaction: PersonTransaction, kept: UUID, line: NewLine
) -> None:
    """Add the job that posts, below its message, what this transaction keeps."""
    job = {"channel": line.channel, "thread_ts": line.thread_ts, "ts": "", "since": ""}
    await _show_later(queue, transaction, {kept: job})


async def end_lines(
    queue: Queue,
    transaction: PersonTransaction,
    line: UUID | None = None,
    *,
    days: int = 0,
) -> list[EndedLine]:
    """End a line of the person, or all that are older than `days`; return those that were.

    Their posts say so afterwards. Answers for which a model was given such a line are blanked,
    whoever asked and in whatever words it tells it.
    """
    ended = await end_kept(transaction, line, days=days)
    jobs: dict[UUID, dict[str, str]] = {}
    since: dict[str, datetime] = {}
    for one in ended:
        jobs[one.id] = {
            "channel": one.channel_id,
            "thread_ts": one.thread_ts,
            "ts": one.line_ts or "",
            "since": str(one.posting_since or ""),
        }
        earlier = since.get(one.channel_id, one.kept_at)
        since[one.channel_id] = min(earlier, one.kept_at)
    for channel, moment in since.items():
        values = {"channel": channel, "since": moment}
        await transaction.execute(_SQL["blank_answers"], values)
    await _show_later(queue, transaction, jobs)
    return ended


async def end_all_lines(app: App, person: Person) -> None:
    """End what a person keeps who has left the workspace."""
    async with person_transaction(app.pool, person, locked=True) as transaction:
        ended = await end_lines(app.queue, transaction)
    if ended:
        log.info("%d kept line(s) of a person who left have ended", len(ended))


async def _show_later(
    queue: Queue,
    transaction: PersonTransaction,
    posts: Mapping[UUID, Mapping[str, str]],
) -> None:
    """Add the job of each line's post, with the arguments that say where it is."""
    jobs = {}
    for line, where in posts.items():
        ids = {**transaction.person.ids, "line": str(line)}
        jobs[f"{SHOW_LINE}:{line}"] = {**ids, **where}
    await queue.defer(transaction.connection, SHOW_LINE, jobs, queue=BACKGROUND)


async def show_line(
    app: App,
    team: str,
    user: str,
    line: str,
    channel: str,
    thread_ts: str,
    ts: str,
    since: str,
) -> None:
    """Post that a message is kept, or change the post if it no longer is; run as a job.

    Raises Slack's error if it may be temporary; a refusal by Slack is logged.
    """
    person = Person(team, user)
    begun = await person_statement(app.pool, person, _SQL["begin_post"], {"id": line})
    # The arguments are all that is left of a line that has ended.
    posting_since = float(since) if since else None
    if begun:
        ts = begun[0]["line_ts"] or ""
        posting_since = begun[0]["posting_since"]
    client = app.slack.client(team, patience=PATIENCE_SECONDS)
    # It keeps the models from reading the post as a part of the thread.
    metadata = notice_metadata(kept=line)
    with unless_refused("show the line of a kept message"):
        if not ts and posting_since is not None:
            found = await find_posted(
                client, channel, metadata, since=posting_since, thread_ts=thread_ts
            )
            ts = found or ""
        localizer = await app.people.localizer(person, keep_new=False)
        if not begun:
            if ts:
                text = localizer.say("kept_gone", channel=f"<#{channel}>")
                gone = payload(text)
                await client.chat_update(channel=channel, ts=ts, **gone)
            return
        shown = kept_payload(localizer, line, begun[0], user, channel)
        if ts:
            await client.chat_update(channel=channel, ts=ts, **shown)
        else:
            ts = await post_once(client, channel, shown, metadata, thread_ts=thread_ts)
        posted = {"id": line, "ts": ts}
        await person_statement(app.pool, person, _SQL["note_posted"], posted)
