"""Reminders of promises, in the person's direct messages: one message for all that are due.

Once a minute a job is added for each person with a due reminder, so that one person's promises do
not delay the reminders of others. When a reminder is due, `memory.store` says.

    due ──begin_post──▶ being posted ──note_posted──▶ the next one is planned
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import date, datetime
from uuid import UUID, uuid4

from slack_sdk.errors import SlackApiError

from bot.access import person_refusal
from bot.acts.blocks import Payload
from bot.acts.lines import memory_line
from bot.acts.receipt import Receipt, replaced_in
from bot.app import App
from bot.cancellation import Superseded
from bot.people import PersonSettings, read_settings
from bot.promises.rows import promise_buttons, reminder_payload
from bot.queue.queue import BACKGROUND, Queue
from bot.slack.client import (
    PATIENCE_SECONDS,
    error_code,
    find_message,
    is_passing,
    unless_refused,
)
from bot.slack.messages import API_TEAM
from bot.slack.posting import notice_metadata, post_once
from memory import DM, Change, Memory, Person, Pool
from memory.model import PROMISE_KIND, Content, due_of, is_open_promise, may_read
from memory.postgres import (
    PersonTransaction,
    execute_statement,
    load_statements,
    person_statement,
    person_transaction,
)
from memory.store import (
    due_promises,
    find_memory,
    next_reminders,
    pass_reminders,
    read_in_order,
)

log = logging.getLogger(__name__)

REMIND = "remind"
SHOW_REMINDER = "show_reminder"
_MOST_PEOPLE = 5_000
_SQL = load_statements("bot.promises", "reminders")


async def open_promises(
    pool: Pool, person: Person, changes: Sequence[Change], audience: str = DM
) -> list[tuple[Memory, datetime | None]]:
    """Return the open promises among changed memories, each with when it is reminded of next.

    They are in the order of the changes, and are those that may be read in an audience.
    """
    keys = [change.key for change in changes if change.kind == PROMISE_KIND]
    if not keys:
        return []
    reminders = await next_reminders(pool, person, keys)
    async with person_transaction(pool, person) as transaction:
        promises = await read_in_order(transaction, keys)
    return [
        (promise, reminders.get(promise.key))
        for promise in promises
        if is_open_promise(promise.kind, promise.content)
        and may_read(audience, promise.audience)
    ]


def is_due_after(content: Content, day: date) -> bool:
    """Return whether a promise is due on a later day."""
    due = due_of(content)
    return due is not None and due[0] > day


async def remind_of_due(pool: Pool, queue: Queue) -> None:
    """Add a job for each person with a due reminder."""
    people = await execute_statement(pool, _SQL["people"], {"most": _MOST_PEOPLE})
    for row in people:
        person = Person(row["team_id"], row["user_id"])
        lock = f"{REMIND}:{person.scope}"
        async with person_transaction(pool, person) as transaction:
            connection = transaction.connection
            if not await queue.hold_waiting(connection, REMIND, lock):
                jobs = {lock: person.ids}
                await queue.defer(connection, REMIND, jobs, queue=BACKGROUND)


async def remind(app: App, team: str, user: str) -> None:
    """Post a person's due reminders as one message; run as a job.

    While memory is off, and where no reminders are allowed, they are passed over. Raises Slack's
    error if it may be temporary.
    """
    person = Person(team, user)
    localizer = await app.people.localizer(person)
    message = uuid4()
    async with person_transaction(app.pool, person, locked=True) as transaction:
        settings = await read_settings(transaction)
        wanted = _are_wanted(app, person, settings)
        promises = await due_promises(transaction, wanted=wanted)
        if not promises:
            return
        values = {"message": message, "keys": [one.key for one in promises]}
        begun, *_ = await transaction.fetch(_SQL["begin_post"], values)
        channel = await _conversation(transaction)
    since = None
    if begun["message_id"] != message:
        message = begun["message_id"]
        since = begun["posting_since"].timestamp()
    shown = reminder_payload(localizer, promises)
    try:
        ts = await _post(app, person, message, channel, shown, since)
    except Superseded:
        log.info("another process has posted a reminder, or it is no longer due")
        return
    async with person_transaction(app.pool, person, locked=True) as transaction:
        values = {"message": message, "ts": ts}
        rows = await transaction.fetch(_SQL["note_posted"], values)
        await pass_reminders(transaction, [row["key"] for row in rows])


def _are_wanted(app: App, person: Person, settings: PersonSettings) -> bool:
    if person.team_id == API_TEAM or settings.off(app.settings.consent):
        return False
    return not person_refusal(app.settings, person)


async def _conversation(transaction: PersonTransaction) -> str | None:
    """Return the person's direct messages with the app; None if they are not known."""
    rows = await transaction.fetch(_SQL["conversation"], {"dm": DM})
    return rows[0]["channel_id"] if rows else None


async def _post(
    app: App,
    person: Person,
    message: UUID,
    channel: str | None,
    shown: Payload,
    since: float | None,
) -> str | None:
    """Post a reminder, unless an earlier attempt at `since` did; return its ts.

    Returns None if Slack refuses it. If `channel` is None, because the conversation's id is not
    known, Slack cannot be searched, and nothing is posted again. Raises `Superseded`, and Slack's
    error if it may be temporary.
    """
    values = {"message": message}

    async def confirm() -> None:
        """Raise `Superseded` if it is no longer this process that posts the message."""
        if not await person_statement(app.pool, person, _SQL["find_begun"], values):
            raise Superseded

    client = app.slack.client(person.team_id, patience=PATIENCE_SECONDS)
    metadata = notice_metadata(reminder=str(message))
    try:
        if channel is not None:
            return await post_once(
                client, channel, shown, metadata, since=since, confirm=confirm
            )
        if since is not None:
            return None
        await confirm()
        answer = await client.chat_postMessage(
            channel=person.user_id,
            unfurl_links=False,
            unfurl_media=False,
            metadata=metadata,
            **shown,
        )
        return str(answer["ts"])
    except SlackApiError as error:
        if is_passing(error):
            if error_code(error):
                # A rate limit: the message is certainly not in Slack.
                await person_statement(app.pool, person, _SQL["take_back"], values)
            raise
        log.warning("a reminder was refused: %s", error_code(error))
        return None


async def show_reminders_later(
    app: App, transaction: PersonTransaction, keys: Collection[str]
) -> None:
    """Update the messages that reminded of these promises, once the transaction is committed."""
    jobs: dict[str, dict[str, str]] = {}
    for row in await transaction.fetch(_SQL["posted"], {"keys": list(keys)}):
        arguments = {**transaction.person.ids, "key": row["key"], "ts": row["ts"]}
        # Several promises may share a message: its updates run one at a time.
        jobs[f"{SHOW_REMINDER}:{row['ts']}"] = arguments
    await app.queue.defer(transaction.connection, SHOW_REMINDER, jobs, queue=BACKGROUND)


async def show_reminder(app: App, team: str, user: str, key: str, ts: str) -> None:
    """Take the buttons of a promise that is due on a later day now out of a reminder; run as a job.

    `ts` is that of the reminder. Raises Slack's error if it may be temporary.
    """
    person = Person(team, user)
    localizer = await app.people.localizer(person)
    promise = await find_memory(app.pool, person, key)
    if promise is None or not is_open_promise(promise.kind, promise.content):
        return
    if not is_due_after(promise.content, localizer.today()):
        return
    async with person_transaction(app.pool, person) as transaction:
        channel = await _conversation(transaction)
    if channel is None:
        return
    client = app.slack.client(person.team_id, patience=PATIENCE_SECONDS)
    with unless_refused("update a reminder"):
        message = await find_message(client, channel, ts, ts)
        buttons = promise_buttons(key)
        names = [one.get("block_id") for one in (message or {}).get("blocks", [])]
        if message is None or buttons not in names:
            return
        line = Receipt(line=memory_line(localizer, promise))
        shown = replaced_in(message, buttons, line)
        await client.chat_update(channel=channel, ts=ts, **shown)
