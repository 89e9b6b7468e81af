"""The message of a notice: below the reply it belongs to, or visible to the person only."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from slack_sdk.errors import SlackApiError

from bot.delivery.outbox import turn_metadata
from bot.slack.client import (
    CONVERSATION_GONE,
    UPDATE,
    Installations,
    error_code,
    retry_on_rate_limit,
)
from bot.slack.ephemeral import ephemeral_thread
from bot.slack.messages import has_unlinked, split_thread_key
from bot.types import MemoryState, PersonSettings
from bot.views.blocks import Block, Payload
from bot.views.notices import NoticeContent
from bot.views.reply import (
    ReplyNote,
    fallback,
    footer,
    late_line,
    max_notice_length_for,
    message_blocks,
    text_length,
    updatable_footer,
    with_notes,
    without_updatable_footer,
)
from memory import DM, CredentialKind, Person, Pool, is_redacted, person_statement

log = logging.getLogger(__name__)

# Refused for a reason that the next attempt meets again: the conversation or the person is gone.
_NOWHERE = CONVERSATION_GONE | {
    "user_not_in_channel",
    "messages_tab_disabled",
    "account_inactive",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifiedTurn:
    """The turn a notice belongs to; `posted` are the ts of its reply's messages.

    `notice_shown`: the notice that it was read for has been shown.
    """

    id: UUID
    channel: str
    thread: str
    audience: str
    posted: list[str]
    reply: str | None
    used_memories: bool
    has_introduction: bool
    question_ts: str
    late: bool
    note: ReplyNote | None
    left_out: list[CredentialKind]
    can_be_rated: bool
    notice_shown: bool

    @property
    def thread_ts(self) -> str:
        """The ts of the thread's first message."""
        return split_thread_key(self.thread)[2]

    @property
    def reply_ts(self) -> str:
        """The ts of the reply's last message; empty if it has none."""
        return self.posted[-1] if self.posted else ""

    @property
    def text(self) -> str | None:
        """The reply, if one message holds all of it as it is stored.

        Of an answer in several messages it is not known which part the last one holds; one that
        repeated a credential is not stored as it was posted.
        """
        return None if len(self.posted) != 1 or is_redacted(self.reply or "") else self.reply

    @property
    def in_dm_reply(self) -> bool:
        """Whether the notice can be shown below the reply, in a direct message."""
        return self.audience == DM and bool(self.reply_ts)

    @property
    def has_reply(self) -> bool:
        """Whether the turn's thread has a reply: its answer, or its question if that is one."""
        return bool(self.reply_ts) or self.question_ts != self.thread_ts


class UpdatesRefused(Exception):
    """Slack's rate limit refuses the update now; the notice is shown by a later job."""


class NoticeMessages:
    """Reads the turns that notices belong to, and shows the notices."""

    def __init__(self, pool: Pool, slack: Installations, *, stand_in: bool) -> None:
        self._pool = pool
        self._slack = slack
        self._limits = slack.limits
        self._stand_in = stand_in

    async def turn(self, person: Person, name: str) -> NotifiedTurn | None:
        """Return a turn, if it is still there; `name` is its id or that of one of its notices."""
        found = await person_statement(
            self._pool,
            person,
            "SELECT id, channel_id AS channel, thread, audience, reply_ts AS posted, reply,"
            " recalled <> '{}' AND status <> 'failed' AS used_memories,"
            " EXISTS (SELECT FROM person_settings s WHERE s.team_id = turns.team_id AND s.user_id ="
            " turns.user_id AND s.told_at BETWEEN intended_at AND ended_at) AS has_introduction,"
            " question_ts, reply_note AS note, left_out, model IS NOT NULL AS can_be_rated,"
            " EXISTS (SELECT FROM inbox_events e WHERE e.team_id = turns.team_id"
            " AND e.channel_id = turns.channel_id AND e.ts = turns.question_ts"
            " AND e.late) AS late, EXISTS (SELECT FROM change_notices n WHERE n.id = %(name)s"
            " AND n.shown_at IS NOT NULL) AS notice_shown FROM turns WHERE id ="
            " COALESCE((SELECT turn_id FROM change_notices WHERE id = %(name)s), %(name)s)"
            " AND team_id = %(team)s AND user_id = %(user)s",
            {"name": UUID(name), **person.ids},
        )
        return NotifiedTurn(**found[0]) if found else None

    async def below_reply(
        self,
        person: Person,
        turn: NotifiedTurn,
        settings: PersonSettings,
        content: NoticeContent,
        *,
        waits: bool = True,
    ) -> bool:
        """Show the notice of a turn below its reply; return False if that is not possible.

        Raises `UpdatesRefused` where it may not wait and Slack refuses further updates for now.
        """
        if not turn.in_dm_reply:
            return False
        try:
            text, blocks = await self._reply(person, turn, settings, content)
            if not blocks:
                return False
            if not waits and self._limits.wait(person.team_id, UPDATE):
                raise UpdatesRefused
            await self._limits.retry(
                person.team_id,
                UPDATE,
                lambda: self._slack.client(person.team_id).chat_update(
                    channel=turn.channel,
                    ts=turn.reply_ts,
                    text=text,
                    blocks=blocks,
                    metadata=turn_metadata(turn.id, len(turn.posted) - 1),
                ),
                seconds=60.0 if waits else 0.0,
            )
        except SlackApiError as error:
            if not waits and error_code(error) == "ratelimited":
                raise UpdatesRefused from error
            if not error_code(error):
                raise
            log.info("a notice could not be put below its reply: %s", error_code(error))
            return False
        return True

    async def _reply(
        self,
        person: Person,
        turn: NotifiedTurn,
        settings: PersonSettings,
        content: NoticeContent,
    ) -> tuple[str, list[Block]]:
        """Return a reply's last message as it is to be, its text and blocks; none if it is gone."""
        language = settings.reply_language(turn.text or "")
        used_memories = turn.id if turn.used_memories else None
        if turn.text is None:
            message = await self._message_in_slack(person, turn)
            unchanged = without_updatable_footer(message.get("blocks") or [])
            max_length = max_notice_length_for(text_length(unchanged))
            new = updatable_footer(
                language,
                recalled_turn=used_memories,
                notice=content,
                max_notice_length=max_length,
                zone=settings.zone,
            )
            return fallback(str(message.get("text") or "")), [*unchanged, *new] if unchanged else []
        text = with_notes(language, turn.text, turn.note, turn.left_out)
        if turn.late:
            text = f"{late_line(language, turn.question_ts, settings.time_zone)}\n\n{text}"
        below = footer(
            language,
            stand_in=self._stand_in,
            memory_state=MemoryState(settings=PersonSettings()) if turn.has_introduction else None,
            recalled_turn=used_memories,
            rated_turn=turn.id if turn.can_be_rated else None,
            links_removed=has_unlinked(text),
            notice=content,
            max_notice_length=max_notice_length_for(len(text)),
            zone=settings.zone,
        )
        return fallback(text), message_blocks(text, below)

    async def _message_in_slack(self, person: Person, turn: NotifiedTurn) -> dict[str, Any]:
        """Return the message as Slack has it: its text was forgotten here, or is only a part."""
        answer = await retry_on_rate_limit(
            lambda: self._slack.client(person.team_id).conversations_replies(
                channel=turn.channel,
                ts=turn.thread_ts,
                oldest=turn.reply_ts,
                latest=turn.reply_ts,
                inclusive=True,
                limit=2,
            )
        )
        found = [m for m in answer.get("messages") or [] if m.get("ts") == turn.reply_ts]
        return dict(found[0]) if found else {}

    async def post_ephemeral(self, person: Person, turn: NotifiedTurn, payload: Payload) -> None:
        """Show a notice to the turn's person alone, in its thread if that has a reply.

        Each call shows it once.
        """
        try:
            await retry_on_rate_limit(
                lambda: self._slack.client(person.team_id).chat_postEphemeral(
                    channel=turn.channel,
                    user=person.user_id,
                    thread_ts=ephemeral_thread(turn.thread_ts, has_reply=turn.has_reply),
                    text=payload["text"],
                    blocks=payload["blocks"],
                )
            )
        except SlackApiError as error:
            if error_code(error) not in _NOWHERE:
                raise
            log.info("a notice could not be shown: %s", error_code(error))
