"""What follows when messages change: edited, formed again; deleted, forgotten, unanswered."""

from __future__ import annotations

import logging
from collections.abc import Collection
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.access import note_message_changed
from bot.app import App
from bot.conversation import edits
from bot.conversation.inbox import THREAD_SETTING
from bot.conversation.turns import WORDS_LIMIT, schedule_formation
from bot.delivery.sessions import Sessions
from bot.logs import fault
from bot.notices import update_notices
from bot.people import read_memory_state, refusal_in
from bot.slack.client import (
    PATIENCE_SECONDS,
    SLACK_FAULTS,
    Installations,
    delete_message,
    error_code,
    find_message,
    is_passing,
)
from bot.slack.messages import plain, split_thread_key, typed
from memory import (
    Person,
    PersonMessage,
    Pool,
)
from memory.credentials import redact_texts
from memory.formation import follow_message
from memory.metrics import step
from memory.postgres import execute_statement, person_transaction, transaction
from memory.store import messages_among

log = logging.getLogger(__name__)


async def follow_change(app: App, change: edits.MessageChange) -> None:
    """Store an edit or deletion, and schedule what follows from it, in one transaction.

    Memories that were not formed yet are formed from the new words; those that were, and those
    that a tool or *Remember* stored, are updated by a job. If memory is off, or the policy refuses
    the person, the new words are not stored: the job reads them from Slack. Credentials are never
    stored.
    """
    text, bot_user_id = change.text or "", await app.slack.bot_user_id(change.team_id)
    question, said = redact_texts(plain(text, bot_user_id), typed(text, bot_user_id))
    words, here = said.text[:WORDS_LIMIT], (change.channel_id, change.ts)
    scope = {THREAD_SETTING: change.thread}
    if change.author:
        scope |= Person(change.team_id, change.author).settings
    async with transaction(app.pool, scope) as connection:
        row = await edits.change_message(connection, change, question.text, words)
        user = row["user_id"] if row else change.author
        if not user:
            return
        person = Person(change.team_id, user)
        for name, value in person.settings.items():
            await connection.execute("SELECT set_config(%s, %s, true)", (name, value))
        formed = False
        if row is not None and row["reworded"]:
            formed = row["formed"]
            state = await read_memory_state(connection, person, *here, app.settings.consent)
            if state.off or refusal_in(app.settings, person, change.channel_id, row["audience"]):
                await edits.delete_texts(connection, person, row["id"])
            elif words:
                namespace = person.namespace(row["audience"])
                await schedule_formation(connection, app.queue, app.settings, namespace)
        await note_message_changed(connection, person, *here)
        if formed or await messages_among(connection, person, [here]):
            root = split_thread_key(change.thread)[2] if words else ""
            await edits.update_from_message_later(connection, app.queue, person, *here, root)
    if row is not None:
        app.inbox.threads.look()


async def update_from_message(
    app: App, team: str, user: str, channel: str, ts: str, root: str
) -> None:
    """Remove what a message no longer says from memory.

    Its words are the stored ones; where none are stored, they are read from Slack, in the thread of
    `root`, which is "" for a deleted message. The notices that told of it are updated. Raises what
    the Slack client raises; then nothing was changed.
    """
    person = Person(team, user)
    async with person_transaction(app.pool, person) as connection:
        found = await connection.execute(
            "SELECT words FROM messages WHERE team_id = %s AND user_id = %s"
            " AND channel_id = %s AND ts = %s AND begun_at IS NOT NULL",
            (team, user, channel, ts),
        )
        row = await found.fetchone()
    words = row["words"] if row else ""
    if root and not words:
        [read] = redact_texts(await _words_now(app, team, channel, ts, root))
        words = read.text

    async def in_commit(connection: AsyncConnection[DictRow], batches: Collection[UUID]) -> None:
        await update_notices(app, connection, person, batches)

    said = PersonMessage(text=words, channel=channel, ts=ts) if words else None
    keys = await follow_message(
        app.pool, app.embedder, person, (channel, ts), said, in_commit=in_commit
    )
    log.info("a message was edited or deleted: it said something of %d memories", len(keys))


async def _words_now(app: App, team: str, channel: str, ts: str, root: str) -> str:
    try:
        client = app.slack.client(team, patience=PATIENCE_SECONDS)
        found = await find_message(client, channel, root, ts)
    except SlackApiError as error:
        if error_code(error) not in ("thread_not_found", "message_not_found"):
            raise
        return ""
    if found is None or found.get("subtype") == "tombstone":
        return ""
    return typed(str(found.get("text") or ""))


@step("withdrawals")
async def delete_withdrawn_answers(
    pool: Pool, slack: Installations, sessions: Sessions, thread: str
) -> None:
    """Delete answers in `thread` to messages that were deleted while they were answered.

    The texts are deleted in any case. The turn ends when no more can be deleted in Slack: until
    then `claim_thread` of bot/schema.sql finds it again each minute.
    """
    rows = await execute_statement(
        pool,
        "SELECT id, team_id, channel_id, reply_ts FROM messages"
        " WHERE thread = %s AND status = 'gone' AND ended_at IS NULL",
        (thread,),
        scope={THREAD_SETTING: thread},
    )
    for row in rows:
        client = slack.client(row["team_id"], patience=PATIENCE_SECONDS)
        deleted = [await _delete(client, row["channel_id"], ts) for ts in row["reply_ts"]]
        # The worker that answered may have died.
        sessions.activate(thread)
        await execute_statement(
            pool,
            "UPDATE messages SET question = '', words = '', reply = NULL, formed_at = now(),"
            " worker = NULL, ended_at = CASE WHEN %s THEN now() END WHERE id = %s",
            (all(deleted), row["id"]),
            scope={THREAD_SETTING: thread},
        )


async def _delete(client: AsyncWebClient, channel: str, ts: str) -> bool:
    """Delete a message of the app; False where Slack may do so later."""
    try:
        await delete_message(client, channel, ts)
    except SLACK_FAULTS as error:
        log.warning("a reply was not deleted: %s", error_code(error) or fault(error))
        return not is_passing(error)
    return True
