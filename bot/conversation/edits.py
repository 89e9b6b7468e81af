"""Edits and deletions in the rows of stored messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from bot.conversation.inbox import answer_at_once
from bot.queue.queue import BACKGROUND, REPLIES, Queue
from bot.slack.messages import split_thread_key
from memory import PUBLIC, Pool
from memory.postgres import (
    Connection,
    PersonTransaction,
    execute_statement,
    fetch_rows,
    load_statements,
)

DELETE_ANSWER = "delete_answer"
UPDATE_FROM_MESSAGE = "update_from_message"
_SQL = load_statements("bot.conversation", "edits")


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageChange:
    """An edit of a message, or its deletion if `text` is None, as Slack's event reports it.

    `author` wrote the message; "" if Slack does not say who did. `changed_ts` is the ts of the
    event.
    """

    team_id: str
    channel_id: str
    ts: str
    thread: str
    author: str
    text: str | None
    changed_ts: str

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters that identify the message in statements."""
        return {"team": self.team_id, "channel": self.channel_id, "ts": self.ts}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedMessage:
    """The row of a message that was edited or deleted, and what the change means for it.

    `formed`: memories were formed from it before. `reworded`: its stored texts have changed;
    `says_else`: these, or the text that waits for an answer; `says_the_same`: it has stored words,
    and they have not. `on_record`: the new texts may be
    kept. `interrupts`: a run that answers it must end; a job that goes on with the thread's
    messages has been added.
    """

    id: UUID
    user_id: str
    audience: str
    formed: bool
    reworded: bool
    says_else: bool
    interrupts: bool
    on_record: bool = True
    says_the_same: bool = False


async def edit_message(
    connection: Connection,
    queue: Queue,
    change: MessageChange,
    question: str,
    words: str,
    *,
    must_agree: bool,
) -> ChangedMessage | None:
    """Edit a stored message in its thread's transaction; None if there is nothing to change.

    A message that is still to be answered gets the edited text; the answer to one that was answered
    stays as it is. Stored texts become `question` and `words`. An event changes nothing if the
    message has already seen it or a newer one.
    """
    values: dict[str, Any] = {
        **change.parameters,
        "changed": change.changed_ts,
        "public": PUBLIC,
        "must_agree": must_agree,
        "question": question,
        "words": words,
    }
    found = await fetch_rows(connection, _SQL["read"], values)
    if not found:
        return None
    [row] = found
    values |= {"id": row["id"], "text": change.text}
    says_else = row["is_open"] and row["text"] != change.text
    if says_else:
        await connection.execute(_SQL["change_open"], values)
        await answer_at_once(connection, queue, change.thread)
    else:
        await connection.execute(_SQL["note_change"], values)
    texts = {"audience": row["audience"]}
    if row["reworded"]:
        [texts] = await fetch_rows(connection, _SQL["reword"], values)
    return ChangedMessage(
        id=row["id"],
        user_id=row["user_id"],
        formed=row["formed"],
        reworded=row["reworded"],
        says_else=says_else or row["reworded"],
        says_the_same=row["has_words"] and not row["reworded"],
        interrupts=says_else and row["is_taken"],
        **texts,
    )


async def withdraw_message(
    connection: Connection, queue: Queue, change: MessageChange
) -> ChangedMessage | None:
    """Withdraw a deleted message in its thread's transaction; None if it is not stored.

    It is not answered. Its texts, and the posted part of an unfinished answer, are deleted.
    """
    values = {**change.parameters, "changed": change.changed_ts}
    found = await fetch_rows(connection, _SQL["withdraw"], values)
    if not found:
        return None
    [row] = found
    has_unfinished_answer = row.pop("has_unfinished_answer")
    changed = ChangedMessage(**row)
    if has_unfinished_answer:
        lock = f"{DELETE_ANSWER}:{changed.id}"
        arguments = {
            "team": change.team_id,
            "thread": change.thread,
            "message": str(changed.id),
        }
        await queue.defer(connection, DELETE_ANSWER, {lock: arguments}, queue=REPLIES)
    if changed.interrupts:
        await answer_at_once(connection, queue, change.thread)
    return changed


async def find_stored(pool: Pool, team: str, channel: str, ts: str) -> dict[str, str]:
    """Return the `thread_ts` and the `user` of a message, as Slack has them; {} if not stored."""
    values = {"team": team, "channel": channel, "ts": ts}
    found = await execute_statement(pool, _SQL["thread_and_author"], values)
    if not found:
        return {}
    [row] = found
    return {"thread_ts": split_thread_key(row["thread"])[2], "user": row["user_id"]}


async def update_later(
    queue: Queue, transaction: PersonTransaction, channel: str, ts: str, root: str
) -> None:
    """Add the job that makes memories agree with what a message of the person says now.

    `root` is the ts of its thread; "" if it was deleted.
    """
    person = transaction.person
    arguments = {**person.ids, "channel": channel, "ts": ts, "root": root}
    jobs = {f"{UPDATE_FROM_MESSAGE}:{person.team_id}.{channel}.{ts}": arguments}
    await queue.defer(
        transaction.connection, UPDATE_FROM_MESSAGE, jobs, queue=BACKGROUND
    )


async def delete_texts(transaction: PersonTransaction, turn: UUID) -> None:
    """Delete the texts of a person's turn; no memory is formed from them."""
    await transaction.execute(_SQL["delete_texts"], {"id": turn})
