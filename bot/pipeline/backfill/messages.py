"""Messages that Slack did not deliver, or not in time: read by its API, and stored."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slack_sdk.errors import SlackApiError

from bot.conversation.inbox import READ_FOLLOW_UPS, Inbox
from bot.queue.queue import REPLIES, Queue
from bot.slack.audiences import Audiences, ConversationKind
from bot.slack.client import Installations, error_code, is_passing, next_cursor, retry_after
from bot.slack.messages import found_message, split_thread_key
from memory import InvalidNamespace, Pool

log = logging.getLogger(__name__)

# Slack gives fewer to apps whose reading it limits.
PAGE = 100
_PAGES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A conversation, or one thread of it where `thread_ts` is not empty."""

    team_id: str
    channel_id: str
    thread_ts: str = ""


@dataclass(frozen=True, slots=True)
class MissedMessages:
    """Reads messages in Slack. A job does not wait for Slack's limits: it is scheduled again."""

    pool: Pool
    queue: Queue
    inbox: Inbox
    audiences: Audiences
    slack: Installations

    async def page(
        self, conversation: Conversation, oldest: str, cursor: str = ""
    ) -> tuple[Sequence[Mapping[str, Any]], str]:
        """Return some of the messages after `oldest`, and the cursor of the next page, if any.

        Raises what the Slack client raises.
        """
        more: dict[str, Any] = {"oldest": oldest, "limit": PAGE}
        if cursor:
            more["cursor"] = cursor
        client = self.slack.client(conversation.team_id)
        if conversation.thread_ts:
            answer = await client.conversations_replies(
                channel=conversation.channel_id, ts=conversation.thread_ts, **more
            )
        else:
            answer = await client.conversations_history(channel=conversation.channel_id, **more)
        return answer.get("messages") or [], next_cursor(answer)

    async def kind(self, conversation: Conversation) -> ConversationKind:
        """Return the current kind of the conversation, from Slack.

        A delivered event says whether its conversation is shared; a message that is read does not.
        Raises the errors of the Slack client.
        """
        return await self.audiences.look_up(conversation.team_id, conversation.channel_id)

    async def store(
        self,
        conversation: Conversation,
        kind: ConversationKind,
        found: Mapping[str, Any],
    ) -> bool:
        """Store a message as if it had been delivered; return False if it is not to be answered."""
        bot_user_id = await self.slack.bot_user_id(conversation.team_id)
        try:
            message = found_message(
                found,
                team_id=conversation.team_id,
                channel_id=conversation.channel_id,
                bot_user_id=bot_user_id,
                is_dm=kind.direct,
                is_shared=kind.shared,
            )
        except InvalidNamespace:
            return False
        return message is not None and await self.inbox.store(message)

    async def follow_ups(self, thread: str, after: str) -> None:
        """Store the messages of `thread` after the ts `after` that are not stored yet.

        Raises what the Slack client raises if a later attempt can succeed.
        """
        team, channel, root = split_thread_key(thread)
        conversation, cursor = Conversation(team_id=team, channel_id=channel, thread_ts=root), ""
        try:
            kind = await self.kind(conversation)
            for _ in range(_PAGES):
                messages, cursor = await self.page(conversation, after, cursor)
                for found in messages:
                    if str(found.get("ts")) > after:
                        await self.store(conversation, kind, found)
                if not cursor:
                    return
        except SlackApiError as error:
            if wait := retry_after(error):
                await self._put_off(thread, after, wait)
            elif is_passing(error):
                raise
            else:
                log.warning("a thread could not be read: %s", error_code(error))

    async def _put_off(self, thread: str, after: str, delay: float) -> None:
        await self.queue.defer(
            self.pool,
            READ_FOLLOW_UPS,
            queue=REPLIES,
            lock=f"{READ_FOLLOW_UPS}:{thread}",
            delay=delay,
            thread=thread,
            after=after,
        )
