"""The audience of a conversation: looked up from Slack, never guessed.

The table `conversations` is filled by ``conversations.info``.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace

from psycopg.rows import DictRow

from bot.app import App
from bot.logs import fault
from bot.slack.client import GAP_SECONDS, SLACK_FAULTS
from bot.slack.members import kind_of
from bot.slack.messages import Message
from memory import DM, PUBLIC, MemoryView, Namespace, Person, memory_view
from memory.metrics import step
from memory.postgres import Connection, execute_statement, load_statements

log = logging.getLogger(__name__)

_SQL = load_statements("bot.conversation", "audiences")
# Slack's clock times a message, the database's a change.
_CLOCKS_DIFFER_SECONDS = 2.0
_PATIENCE_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationKind:
    """The kind of a conversation: its audience, and whether it is shared with others (`shared`).

    `audience`: None if Slack does not tell the kind for certain. `shared`: with another
    organisation. `changed`: when it last changed, in seconds of the epoch; minus infinity if no
    change is known.
    """

    audience: str | None
    shared: bool
    changed: float


DIRECT = ConversationKind(audience=DM, shared=False, changed=-math.inf)
"""The kind of a direct message."""
UNKNOWN = ConversationKind(audience=None, shared=False, changed=math.inf)
"""The kind of a conversation that Slack does not tell: it sees and keeps only its own."""


@step("audience")
async def kind_of_message(app: App, message: Message) -> ConversationKind:
    """Return the kind of a message's conversation, as `kind_now` does."""
    if message.is_shared:
        return replace(UNKNOWN, shared=True)
    if message.audience == DM:
        return DIRECT
    return await kind_now(app, message.team_id, message.channel_id)


def view_at(
    kind: ConversationKind,
    person: Person,
    channel_id: str,
    ts: str,
    audience: str | None,
) -> MemoryView:
    """Return which memories a person's message may see, and where it is remembered.

    It is remembered in the narrower audience of then and now. `audience` is that of the message's
    turn. Without one, a message that is older than the last known change of its conversation
    belongs to the conversation alone. A conversation whose kind is uncertain sees and keeps only
    its own.
    """
    if audience == DM:
        return memory_view(person.namespace(DM))
    if kind.audience is None or kind.shared:
        return memory_view(person.namespace(channel_id), only_own=True)
    now = memory_view(person.namespace(kind.audience))
    if kind.audience != PUBLIC:
        return now
    if audience is None and kind.changed >= float(ts) - _CLOCKS_DIFFER_SECONDS:
        audience = channel_id
    if audience is None or audience == PUBLIC:
        return now
    return memory_view(person.namespace(audience), only_own=True)


async def view_of_audience(app: App, namespace: Namespace) -> MemoryView:
    """Return which memories are shown where those of a namespace are formed.

    A conversation that is not known to be private now sees only its own.
    """
    audience = namespace.audience
    if audience in (DM, PUBLIC):
        return memory_view(namespace)
    known = await _read_known(app, namespace.person.team_id, audience)
    is_private = known["audience"] == audience and not known["shared"]
    return memory_view(namespace, only_own=not is_private)


async def kind_now(app: App, team_id: str, channel_id: str) -> ConversationKind:
    """Return a conversation's kind; one without an audience if Slack gives no answer."""
    try:
        return await look_up_kind(app, team_id, channel_id)
    except SLACK_FAULTS as error:
        log.warning("a conversation's kind could not be looked up: %s", fault(error))
        return UNKNOWN


async def invalidate_kind(app: App, team_id: str, channel_id: str) -> None:
    """Look the conversation up again next time: it was shared or converted.

    Until then its kind is unknown, and a lookup that is already under way is discarded.
    """
    values = {"team": team_id, "channel": channel_id}
    await execute_statement(app.pool, _SQL["invalidate"], values)


async def look_up_kind(app: App, team_id: str, channel_id: str) -> ConversationKind:
    """Return Slack's answer about a conversation, at most an hour old.

    An answer from before an outage does not count: events about a change may have been missed.
    Slack sends no events about a conversation that the app is not in, so it is looked up each time.
    If the conversation changes during the request, its kind is unknown. Raises the errors of the
    Slack client.
    """
    known = await _read_known(app, team_id, channel_id)
    asked_at = known.pop("asked_at")
    if known.pop("is_trusted"):
        return ConversationKind(**known)
    client = app.slack.client(team_id, patience=_PATIENCE_SECONDS)
    answer = await client.conversations_info(channel=channel_id)
    channel = answer.get("channel") or {}
    audience, shared = kind_of(channel, channel_id)
    kind = ConversationKind(audience=audience, shared=shared, changed=known["changed"])
    if channel.get("is_member") is False:
        return kind
    values = {
        "team": team_id,
        "channel": channel_id,
        "audience": audience,
        "shared": shared,
        "asked_at": asked_at,
    }
    if await execute_statement(app.pool, _SQL["keep"], values):
        return kind
    return UNKNOWN


async def _read_known(app: App, team_id: str, channel_id: str) -> DictRow:
    """Return what is known of a conversation, and the time at which it was read."""
    values = {"team": team_id, "channel": channel_id, "gap": GAP_SECONDS}
    [known] = await execute_statement(app.pool, _SQL["known"], values)
    return known


async def invalidate_kinds(connection: Connection, team_id: str) -> None:
    """Look up all conversations of a workspace again when needed, because events were missed.

    This is part of the transaction that ends the gap, so that no process reads an earlier kind
    afterwards.
    """
    await connection.execute(_SQL["invalidate_all"], {"team": team_id})
