"""What is kept for a conversation: read for an answer, and shown by one line in its thread.

The app posts one line below each kept message. A job keeps it up to date: the message is kept, or,
after it was taken back, edited, deleted, forgotten or erased, it is no longer kept.
"""

from __future__ import annotations

from collections.abc import Collection

from psycopg.rows import DictRow

from bot.app import App
from bot.queue.queue import BACKGROUND, Queue
from bot.slack.client import PATIENCE_SECONDS, unless_refused
from bot.slack.messages import API_TEAM
from bot.slack.posting import find_posted, notice_metadata, post_once
from bot.ui.kept_lines import gone_payload, kept_payload
from memory import DM, PUBLIC, MemoryView, Person, Pool
from memory.postgres import (
    PersonTransaction,
    execute_statement,
    load_statements,
    person_statement,
    person_transaction,
)
from memory.store import KeptMemory, find_memory, nearest_kept, read_kept

SHOW_LINE = "show_kept_line"
WHOLE = 40
"""The most lines that an answer is given; if there are more, the nearest to the question."""
MOST_QUOTED = 3
"""The most lines that are quoted below an answer."""
_MOST_PEOPLE = 500
_SQL = load_statements("bot", "kept_lines")


# --- read for an answer ------------------------------------------------------------------------


async def lines_for_answer(
    app: App,
    person: Person,
    view: MemoryView,
    channel: str,
    question: str,
    with_kept: frozenset[str],
) -> list[KeptMemory]:
    """Return what is kept for the conversation in which a person asks; anybody there gets it.

    In a direct message it is what was said in the public channels that the person is in now.
    Nothing is returned for guests, in a conversation of unknown kind, or while Slack does not say
    who the person is.
    `with_kept` are the conversations of the workspace for which something is kept.
    """
    if person.team_id == API_TEAM:
        return []
    in_dm = view.own.audience == DM
    channels: set[str] = set()
    if in_dm:
        channels = await _public_channels(app, person, with_kept)
    elif PUBLIC in view.audiences:
        channels = {channel}
    lines = await read_kept(app.pool, person, channels, most=WHOLE + 1, public=in_dm)
    if not lines or not await app.members.is_member(person):
        return []
    if len(lines) <= WHOLE:
        return lines
    nearest = await nearest_kept(
        app.pool, app.embedder, person, channels, question, most=WHOLE, public=in_dm
    )
    return nearest or lines[:WHOLE]


async def _public_channels(
    app: App, person: Person, with_kept: frozenset[str]
) -> set[str]:
    if allowed := app.settings.allowed_channels:
        with_kept &= allowed
    if not with_kept:
        return set()
    is_public = await app.members.conversations(person)
    return {channel for channel in with_kept if is_public.get(channel)}


# --- the line in the thread --------------------------------------------------------------------


async def add_line(
    app: App,
    transaction: PersonTransaction,
    key: str,
    channel: str,
    thread_ts: str,
) -> None:
    """Add the line of what this transaction keeps, with the job that posts it."""
    values = {"key": key, "channel": channel, "thread_ts": thread_ts}
    await transaction.execute(_SQL["add"], values)
    await _show_later(app.queue, transaction, [{**values, "ts": ""}])


async def update_lines(
    queue: Queue,
    transaction: PersonTransaction,
    *,
    keys: Collection[str] = (),
    erased: bool = False,
) -> None:
    """Update the lines of a person whose message is no longer kept, or kept again, afterwards.

    Lines of `keys` are updated in any case. `erased`: all lines; this transaction deletes their
    rows.
    """
    changed = _SQL["all"] if erased else _SQL["note_changed"]
    lines = await transaction.fetch(changed, {"keys": list(keys)})
    await _show_later(queue, transaction, lines)


async def update_changed_lines(pool: Pool, queue: Queue) -> None:
    """Update the lines of all people whose lines ended by themselves, such as by retention."""
    people = await execute_statement(
        pool, _SQL["people_with_changed"], {"most": _MOST_PEOPLE}
    )
    for row in people:
        person = Person(row["team_id"], row["user_id"])
        async with person_transaction(pool, person) as transaction:
            await update_lines(queue, transaction)


async def _show_later(
    queue: Queue,
    transaction: PersonTransaction,
    lines: Collection[DictRow],
) -> None:
    jobs = {}
    for line in lines:
        jobs[f"{SHOW_LINE}:{line['key']}"] = {
            **transaction.person.ids,
            "key": line["key"],
            "channel": line["channel"],
            "thread_ts": line["thread_ts"],
            "ts": line["ts"] or "",
        }
    await queue.defer(transaction.connection, SHOW_LINE, jobs, queue=BACKGROUND)


async def show_line(
    app: App, team: str, user: str, key: str, channel: str, thread_ts: str, ts: str
) -> None:
    """Post or update the line of a kept message; run as a job.

    Raises Slack's error if it may be temporary; a refusal by Slack is logged.
    """
    person = Person(team, user)
    begun = await person_statement(app.pool, person, _SQL["begin_post"], {"key": key})
    posting_since = None
    # The arguments are all that is left of the line of a person who was erased.
    if begun:
        [row] = begun
        ts = row["ts"] or ts
        channel = row["channel"]
        posting_since = row["posting_since"]
    with unless_refused("show the line of a kept message"):
        if not ts and posting_since is not None:
            ts = await _find_line(app, person, key, channel, thread_ts, posting_since)
        await _show_line(app, person, key, channel, thread_ts, ts)


async def _find_line(
    app: App, person: Person, key: str, channel: str, thread_ts: str, since: float
) -> str:
    """Return the ts of a line that an earlier attempt asked Slack for at `since`; "" if none."""
    found = await find_posted(
        app.slack.client(person.team_id, patience=PATIENCE_SECONDS),
        channel,
        notice_metadata(kept=key),
        since=since,
        thread_ts=thread_ts,
    )
    if found is None:
        return ""
    await _note_posted(app.pool, person, key, found)
    return found


async def _show_line(
    app: App, person: Person, key: str, channel: str, thread_ts: str, ts: str
) -> None:
    """Update the line at `ts`, or post it if there is none and something is still kept."""
    memory = await find_memory(app.pool, person, key)
    if memory is None and not ts:
        return
    localizer = await app.people.localizer(person, keep_new=False)
    if memory is None:
        shown = gone_payload(localizer, channel)
    else:
        shown = kept_payload(localizer, memory, channel)
    client = app.slack.client(person.team_id, patience=PATIENCE_SECONDS)
    if ts:
        await client.chat_update(channel=channel, ts=ts, **shown)
        return
    posted = await post_once(
        client,
        channel,
        shown,
        # It keeps the models from reading the line as a part of the thread.
        notice_metadata(kept=key),
        thread_ts=thread_ts,
    )
    await _note_posted(app.pool, person, key, posted)


async def _note_posted(pool: Pool, person: Person, key: str, ts: str) -> None:
    values = {"key": key, "ts": ts}
    await person_statement(pool, person, _SQL["note_posted"], values)
