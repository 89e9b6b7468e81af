"""Reminders of promises, in the person's direct messages: one message for all that are due.

Once a minute, the people with due reminders are found. For each of them, in a separate transaction,
the due reminders are stored with a job that posts them, so that one person's promises do not delay
the reminders of others. When a reminder is due is computed from the promise, the time zone and
*Tomorrow* as they are now (`promise_reminders` of bot/schema.sql), so that nothing has to be moved
or cancelled when one of them changes.

    due ──add_due──▶ stored ──begin_post──▶ being posted ──note_posted──▶ posted, or refused
                        ◀──────not in Slack after a crash──────┘
"""

from __future__ import annotations

import logging
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from slack_sdk.errors import SlackApiError

from bot.access import person_refusal
from bot.app import App
from bot.logs import fault
from bot.people import read_settings
from bot.queue.queue import BACKGROUND, Queue
from bot.slack.client import (
    PATIENCE_SECONDS,
    error_code,
    is_passing,
)
from bot.slack.messages import API_TEAM
from bot.slack.posting import find_posted, notice_metadata, post_once
from bot.ui.blocks import Payload
from bot.ui.promise_payloads import reminder_payload
from memory import DM, Memory, Person, Pool
from memory.postgres import (
    execute_statement,
    is_unavailable,
    load_statements,
    person_statement,
    person_transaction,
)
from memory.store import read_in_order

log = logging.getLogger(__name__)

REMIND = "remind"
_SQL = load_statements("bot", "reminders")
_REFUSED = "-"


class _TakenOver(Exception):
    """Another process has determined whether a message was posted."""


async def remind_of_due(pool: Pool, queue: Queue) -> None:
    """Store the reminders that are due, with a job for each person.

    A failure for one person is logged; the next minute tries again.
    """
    for row in await execute_statement(pool, _SQL["people"]):
        try:
            person = Person(row["team_id"], row["user_id"])
            await _add_due(pool, queue, person)
        except Exception as error:
            if is_unavailable(error):
                raise
            log.warning("the reminders of a person were not stored: %s", fault(error))


async def _add_due(pool: Pool, queue: Queue, person: Person) -> None:
    async with person_transaction(pool, person) as transaction:
        added = await transaction.execute(_SQL["add_due"])
        if added.rowcount:
            jobs = {f"{REMIND}:{person.scope}": person.ids}
            await queue.defer(transaction.connection, REMIND, jobs, queue=BACKGROUND)


async def remind(app: App, team: str, user: str) -> None:
    """Post a person's stored reminders as one message; run as a job.

    Promises that were kept, dropped, moved or forgotten since are left out, and nothing is posted
    while memory is off. Raises Slack's error if it may be temporary.
    """
    person = Person(team, user)
    if person.team_id == API_TEAM:
        return
    await _settle_interrupted(app, person)
    promises = await _reminders_to_post(app, person)
    if promises is None:
        return
    keys = [promise.key for promise in promises]
    # What is not posted now is due again if the promise is opened again, or memory switched on.
    await person_statement(app.pool, person, _SQL["release"], {"keys": keys})
    if not promises:
        return
    localizer = await app.people.localizer(person)
    payload = reminder_payload(localizer, promises)
    message = uuid4()
    values = {"dm": DM, "message": message, "keys": keys}
    [begun] = await person_statement(app.pool, person, _SQL["begin_post"], values)
    if not begun["reminders"]:
        return
    try:
        ts = await _post(app, person, message, begun["channel"], payload)
    except _TakenOver:
        log.info("another process has posted a reminder")
        return
    posted = {"message": message, "ts": ts}
    await person_statement(app.pool, person, _SQL["note_posted"], posted)


async def _reminders_to_post(app: App, person: Person) -> list[Memory] | None:
    """Return the promises with a stored reminder; none while memory is off.

    None if the operator allows no reminders to the person, or they have not agreed to memory.
    """
    async with person_transaction(app.pool, person) as transaction:
        settings = await read_settings(transaction)
        if settings.switched_off or settings.deactivated:
            return []
        if settings.asks(app.settings.consent) or person_refusal(app.settings, person):
            return None
        rows = await transaction.fetch(_SQL["to_post"])
        keys = [row["key"] for row in rows]
        return await read_in_order(transaction, keys)


async def _settle_interrupted(app: App, person: Person) -> None:
    """Find out which messages were posted although their job ended before it could store that.

    If the conversation's id is not known, Slack cannot be searched, and nothing is posted again.
    """
    interrupted = await person_statement(
        app.pool, person, _SQL["interrupted"], {"dm": DM}
    )
    for row in interrupted:
        message = row["message_id"]
        ts: str | None = _REFUSED
        if row["channel"] is not None:
            ts = await find_posted(
                app.slack.client(person.team_id, patience=PATIENCE_SECONDS),
                row["channel"],
                _metadata(message),
                since=row["posting_since"].timestamp(),
            )
        settled = {"message": message, "ts": ts}
        statement = _SQL["take_back"] if ts is None else _SQL["note_posted"]
        await person_statement(app.pool, person, statement, settled)


def _metadata(message: UUID) -> dict[str, Any]:
    return notice_metadata(reminder=str(message))


async def _post(
    app: App,
    person: Person,
    message: UUID,
    channel: str | None,
    payload: Payload,
) -> str:
    """Post a reminder and return its ts, or ``-`` if Slack refuses it.

    If `channel` is None, because the conversation's id is not known, Slack is not searched for an
    earlier attempt. Raises `_TakenOver`, and Slack's error if it may be temporary.
    """
    client = app.slack.client(person.team_id, patience=PATIENCE_SECONDS)
    confirm = partial(_confirm, app, person, message)
    try:
        if channel is None:
            await confirm()
            answer = await client.chat_postMessage(
                channel=person.user_id,
                unfurl_links=False,
                unfurl_media=False,
                metadata=_metadata(message),
                **payload,
            )
            ts = str(answer["ts"])
        else:
            ts = await post_once(
                client,
                channel,
                payload,
                _metadata(message),
                confirm=confirm,
            )
    except SlackApiError as error:
        if is_passing(error):
            if error_code(error):
                # A rate limit: the message is certainly not in Slack.
                taken_back = {"message": message}
                await person_statement(app.pool, person, _SQL["take_back"], taken_back)
            raise
        log.warning("a reminder was refused: %s", error_code(error))
        return _REFUSED
    return ts


async def _confirm(app: App, person: Person, message: UUID) -> None:
    """Raise `_TakenOver` if another process has determined whether the message was posted."""
    values = {"message": message}
    if not await person_statement(app.pool, person, _SQL["find_begun"], values):
        raise _TakenOver


async def snooze(pool: Pool, person: Person, key: str, day: date) -> None:
    """Put the reminders of a promise off to the morning of `day`."""
    await person_statement(pool, person, _SQL["snooze"], {"key": key, "day": day})
