"""The audience of a conversation: looked up from Slack, never guessed."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.logs import fault
from bot.slack.client import GAP_SECONDS, SLACK_FAULTS, Installations
from bot.slack.messages import Message
from memory import DM, PUBLIC, MemoryView, Namespace, Person, Pool, memory_view
from memory.metrics import step
from memory.postgres import execute_statement, load_statements

log = logging.getLogger(__name__)

_SQL = load_statements("bot", "audiences")
# A message's time is of Slack's clock, that of a change of the database's.
_CLOCKS_DIFFER_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationKind:
    """The kind of a conversation: its audience, and whether it sees only that (`shared`).

    `changed`: when it last changed, in seconds of the epoch; minus infinity if no change is known.
    """

    audience: str
    shared: bool
    changed: float


class Audiences:
    """The `conversations` table, filled by ``conversations.info``."""

    def __init__(self, pool: Pool, slack: Installations) -> None:
        self._pool = pool
        self._slack = slack

    @step("audience")
    async def view(self, message: Message) -> MemoryView:
        """Return what may be seen, and where it is remembered, in the message's conversation.

        A conversation whose kind cannot be learned for certain sees and keeps only its own. Of a
        message that is known to be direct nothing is looked up: see `bot.conversation.turns`.
        """
        if message.is_shared:
            return memory_view(message.person.namespace(message.channel_id), shared=True)
        return await self.view_of(message.person, message.channel_id, message.ts, None)

    async def view_of(
        self, person: Person, channel_id: str, ts: str, audience: str | None
    ) -> MemoryView:
        """Return where a message of a person is remembered: as narrow as then and now.

        `audience` is that of the message's turn. Without one, a message from before the last change
        of the conversation that is known belongs to the conversation alone.
        """
        try:
            kind = await self.look_up(person.team_id, channel_id)
        except SLACK_FAULTS as error:
            log.warning("a conversation's kind could not be looked up: %s", fault(error))
            return memory_view(person.namespace(channel_id), shared=True)
        now = memory_view(person.namespace(kind.audience), shared=kind.shared)
        if kind.audience != PUBLIC:
            return now
        if audience is None and kind.changed >= float(ts) - _CLOCKS_DIFFER_SECONDS:
            audience = channel_id
        if audience is None or audience == PUBLIC:
            return now
        return memory_view(person.namespace(audience), shared=True)

    async def is_shared(self, namespace: Namespace) -> bool:
        """Say whether a conversation's own audience sees only itself, as far as is known."""
        if namespace.audience in (DM, PUBLIC):
            return False
        found = await execute_statement(
            self._pool,
            _SQL["stored"],
            {"team": namespace.person.team_id, "channel": namespace.audience},
        )
        return not found or found[0]["audience"] != namespace.audience or bool(found[0]["shared"])

    async def invalidate(self, team_id: str, channel_id: str) -> None:
        """Look the conversation up again next time: it was shared, archived or converted.

        Until then nothing is known of it; an answer of Slack's that is under way is out of date.
        """
        values = {"team": team_id, "channel": channel_id}
        await execute_statement(self._pool, _SQL["invalidate"], values)

    async def look_up(self, team_id: str, channel_id: str) -> ConversationKind:
        """Return Slack's answer about a conversation, at most an hour old.

        An answer from before an outage does not count: events about a change may have been missed.
        If the conversation changes during the request, the result is the narrowest kind. Raises the
        errors of the Slack client.
        """
        named = {"team": team_id, "channel": channel_id}
        [row] = await execute_statement(self._pool, _SQL["trusted"], {**named, "gap": GAP_SECONDS})
        asked_at = row.pop("asked_at")
        if row["audience"] is not None:
            return ConversationKind(**row)
        answer = await self._slack.client(team_id).conversations_info(channel=channel_id)
        audience, shared = kind_of(answer.get("channel") or {}, channel_id)
        values = {**named, "audience": audience, "shared": shared, "asked_at": asked_at}
        kept = await execute_statement(self._pool, _SQL["keep"], values)
        if not kept:
            return ConversationKind(audience=channel_id, shared=True, changed=math.inf)
        return ConversationKind(audience=audience, shared=shared, changed=kept[0]["changed"])


async def invalidate_kinds(connection: AsyncConnection[DictRow], team_id: str) -> None:
    """Let the kinds of a workspace's conversations be looked up again: events were missed.

    This is part of the transaction that ends the gap, so that no process reads an earlier kind
    afterwards.
    """
    await connection.execute(_SQL["invalidate_all"], {"team": team_id})


def kind_of(channel: dict[str, object], channel_id: str) -> tuple[str, bool]:
    """Return (audience, shared) for a conversation object.

    Source: https://docs.slack.dev/reference/objects/conversation-object
    """
    if channel.get("is_ext_shared") or channel.get("is_pending_ext_shared"):
        return channel_id, True
    if channel.get("is_im"):
        return DM, False
    # With other workspaces of the same organisation, where "public" means other people.
    if channel.get("is_org_shared") or channel.get("is_shared"):
        return channel_id, True
    if channel.get("is_mpim") or channel.get("is_private") is True:
        return channel_id, False
    if channel.get("is_channel") and channel.get("is_private") is False:
        return PUBLIC, False
    return channel_id, True
