"""Notices of remembered changes, each a message of its own: below the answer, or ephemeral.

A turn has one notice: its state in the message's row, and a job, both made in the transaction that
remembers. Its text follows from the changes and questions of the turn's batch. In a direct message
the `ts` of its message is stored, so that it can be updated or deleted later; in a channel only the
person sees it, and only their own click can change it.

::

    NULL ──add_notice──▶ DUE ──show_notice──▶ the ts of its message, which is updated
                          ▲└────────────────▶ TOLD: ephemeral, refused, deleted, or not wanted
                          └──add_notice─────────┘

People also learn that the memory model could not read some of their messages: once a day a line
says so, and *Changes* lists them. The SQL is in bot/notices/sql/notices.sql.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from bot.acts.blocks import Payload, payload
from bot.acts.lines import notable_changes
from bot.app import App
from bot.notices.payload import batch_payload
from bot.people import PersonSettings, may_tell_unread, read_settings
from bot.promises.reminders import show_reminders_later
from bot.queue.queue import REPLIES
from bot.slack.client import unless_refused
from bot.slack.messages import API_TEAM, split_thread_key
from bot.slack.posting import show_privately
from memory import (
    DM,
    FormationResult,
    Person,
    Pool,
)
from memory.model import PROMISE_KIND
from memory.postgres import (
    PersonTransaction,
    load_statements,
    person_statement,
    person_transaction,
)

SHOW_NOTICE = "show_notice"
TELL_UNREAD = "tell_unread"
_SQL = load_statements("bot.notices", "notices")
_FEW_SECONDS = 5.0
DUE = "due"
TOLD = "told"


@dataclass(frozen=True, slots=True)
class _Notice:
    """A person's turn: where it was asked and answered, and the `state` of its notice."""

    person: Person
    settings: PersonSettings
    turn: UUID
    channel: str
    thread: str
    audience: str
    question_ts: str
    replied: bool
    reply: str | None
    state: str | None


async def add_notice(
    app: App,
    transaction: PersonTransaction,
    turn: UUID,
    formed: FormationResult,
    *,
    in_turn: bool = False,
) -> None:
    """Add the notice of a turn's batch, with a job that shows it, in the caller's transaction.

    `in_turn`: the turn has not ended, and will show its notice below its answer by `show_later`, so
    no job is added. Earlier notices of promises that were changed are updated. There is no notice
    if only confirmations were `formed`, or for callers of POST /ask, who are in no Slack
    conversation.
    """
    if transaction.person.team_id == API_TEAM:
        return
    promises = [change.key for change in formed.changes if change.kind == PROMISE_KIND]
    if promises:
        await update_notices(app, transaction, keys=promises, except_turn=turn)
    if not (formed.questions or notable_changes(formed.changes)):
        return
    await transaction.execute(_SQL["add"], {"turn": turn})
    if not in_turn:
        await show_later(app, transaction, [turn])


async def tell_unread_later(
    app: App, transaction: PersonTransaction, turn: UUID
) -> None:
    """Add the job that tells a person below a turn that not all of their words could be read.

    Callers of POST /ask, who are in no Slack conversation, are told nothing.
    """
    person = transaction.person
    if person.team_id == API_TEAM:
        return
    jobs = {f"{TELL_UNREAD}:{person.scope}": {**person.ids, "turn": str(turn)}}
    await app.queue.defer(
        transaction.connection,
        TELL_UNREAD,
        jobs,
        queue=REPLIES,
        delay=_FEW_SECONDS,
    )


async def tell_unread(app: App, team: str, user: str, turn: str) -> None:
    """Tell a person, once a day, that some of their words could not be read; run as a job.

    The line is shown below the message of `turn`, only to that person. Raises what the Slack client
    raises if the fault may pass.
    """
    person = Person(team, user)
    notice = await _find(app.pool, person, UUID(turn))
    if notice is None:
        return
    if not await may_tell_unread(app.pool, person, notice.question_ts):
        return
    line = notice.settings.localizer().say("messages_unread")
    with unless_refused("show a line about unread messages"):
        await _post(app, notice, payload(line))


async def update_notices(
    app: App,
    transaction: PersonTransaction,
    *,
    batches: Collection[UUID] = (),
    keys: Collection[str] = (),
    except_turn: UUID | None = None,
    message_deleted: bool = False,
) -> None:
    """Update the notices in direct messages of these batches, and those that named these memories.

    One that is just being posted is updated afterwards. One with no text left is deleted. If that
    is because the person has deleted a message, the notice says so instead. Reminders of these
    memories are updated, too.
    """
    values = {
        "turns": list(batches),
        "keys": list(keys),
        "except_turn": except_turn,
    }
    rows = await transaction.fetch(_SQL["changeable"], values)
    after = "deletion" if message_deleted else "change"
    await show_later(app, transaction, [row["id"] for row in rows], after=after)
    await show_reminders_later(app, transaction, keys)


async def show_later(
    app: App,
    transaction: PersonTransaction,
    turns: Iterable[UUID],
    *,
    after: str = "",
) -> None:
    """Show the notices of turns that have one, once the caller's transaction is committed.

    The jobs of one notice run one at a time. `after`: see `show_notice`.
    """
    jobs: dict[str, dict[str, str]] = {}
    for turn in turns:
        arguments = {**transaction.person.ids, "turn": str(turn), "after": after}
        jobs[f"{SHOW_NOTICE}:{turn}"] = arguments
    await app.queue.defer(transaction.connection, SHOW_NOTICE, jobs, queue=REPLIES)


async def show_notice(
    app: App, team: str, user: str, turn: str, after: str = ""
) -> None:
    """Post the notice of a turn, or update or delete its message; run as a job.

    `after` a "change" or a "deletion" of the person's message only a message that is there is
    updated; after a deletion a notice that has nothing left to say says that. Raises a fault of
    Slack's that may pass; a final refusal is logged.
    """
    person = Person(team, user)
    notice = await _find(app.pool, person, UUID(turn))
    if notice is None or notice.state in (None, TOLD):
        return
    ts = None if notice.state == DUE else notice.state
    if after and ts is None:
        return
    said = await _payload(app, notice)
    if said is None and after == "deletion":
        said = payload(notice.settings.localizer().say("notice_deleted"))
    with unless_refused("show a notice"):
        ts = await _show(app, notice, ts, said)
    values = {"turn": notice.turn, "state": ts or TOLD}
    await person_statement(app.pool, person, _SQL["note_shown"], values)


async def _show(
    app: App, notice: _Notice, ts: str | None, said: Payload | None
) -> str | None:
    """Show what a notice says, in its message `ts` if it has one; return the ts it has then."""
    if ts is None:
        if said is None:
            return None
        return await _post(app, notice, said)
    client = app.slack.client(notice.person.team_id)
    if said is None:
        await client.chat_delete(channel=notice.channel, ts=ts)
        return None
    await client.chat_update(channel=notice.channel, ts=ts, **said)
    return ts


async def _find(pool: Pool, person: Person, turn: UUID) -> _Notice | None:
    """Return the notice of a turn, if it is the person's."""
    async with person_transaction(pool, person) as transaction:
        found = await transaction.fetch(_SQL["place"], {"turn": turn})
        if not found:
            return None
        settings = await read_settings(transaction)
    return _Notice(person=person, settings=settings, turn=turn, **found[0])


async def _payload(app: App, notice: _Notice) -> Payload | None:
    """Return the content of a notice, or None if it has none.

    A person who wants no notices gets only the questions, which would otherwise expire unseen.
    """
    localizer = notice.settings.localizer(notice.reply or "")
    return await batch_payload(
        app.pool,
        notice.person,
        localizer,
        notice.turn,
        audience=notice.audience,
        only_questions=notice.state == DUE and not notice.settings.notices,
    )


async def _post(app: App, notice: _Notice, said: Payload) -> str | None:
    """Show `said` to the person below the turn; return the ts if it can be changed later."""
    thread_ts: str | None = split_thread_key(notice.thread)[2]
    opens_thread = notice.question_ts == thread_ts
    if opens_thread and not (notice.audience == DM or notice.replied):
        thread_ts = None
    return await show_privately(
        app.slack.client(notice.person.team_id),
        said,
        channel=notice.channel,
        user=notice.person.user_id,
        thread_ts=thread_ts,
    )
