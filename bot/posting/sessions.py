"""What Slack shows of a thread in the Messages tab: a title, and that nothing is being done."""

from __future__ import annotations

import asyncio
import logging
import re
import time

from slack_sdk.errors import SlackApiError

from bot.logs import fault
from bot.messages import Message
from bot.posting.budgets import SESSION
from bot.posting.calls import Workspace
from bot.slack import SLACK_FAULTS, error_code, retry_after
from bot.words import plain

log = logging.getLogger(__name__)

# Slack takes 200; in a list of threads fewer are seen.
TITLE_CHARACTERS = 80
_PATIENCE_SECONDS = 2.0
# A workspace that does not know the method, or refuses it, is asked again after this.
_REFUSED_SECONDS = 600.0
# Titles that are more than Slack's limit allows are left out, and not asked for one by one.
_SPENT_SECONDS = 2.0
_LEASED = 5
_MARKS = re.compile(r"[*_~`>#\s]+")


class Sessions:
    """``agents.sessions.setStatus``; an answer never fails or waits because of it."""

    def __init__(self, workspace: Workspace) -> None:
        self._client = workspace.client
        self._budgets = workspace.budgets
        self._not_before = float("-inf")

    async def settle(self, message: Message) -> None:
        """Name the thread by the question that opened it, and show that its work is done.

        Source: https://docs.slack.dev/reference/methods/agents.sessions.setStatus
        """
        if time.monotonic() < self._not_before:
            return
        if not await self._budgets.take_one(message.team_id, SESSION, lease=_LEASED):
            self._not_before = time.monotonic() + _SPENT_SECONDS
            return
        title = title_of(message.text) if message.opens_thread else ""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                answer = await self._client.agents_sessions_setStatus(
                    channel_id=message.channel_id,
                    thread_ts=message.thread_ts,
                    status="active",
                    title=title or None,
                    initiator_user_id=message.user_id,
                )
                # A title is taken with a new session only, and a stream may have made it before.
                if title and answer.get("title") != title:
                    await self._client.agents_sessions_rename(
                        channel_id=message.channel_id, thread_ts=message.thread_ts, title=title
                    )
        except SLACK_FAULTS as error:
            if isinstance(error, SlackApiError) and error_code(error) == "ratelimited":
                await self._budgets.empty(message.team_id, SESSION, retry_after(error))
            self._not_before = time.monotonic() + _pause(error)
            log.info("a thread got no title: %s", error_code(error) or fault(error))


def _pause(error: BaseException) -> float:
    if not (isinstance(error, SlackApiError) and error_code(error)):
        return 0.0
    return _SPENT_SECONDS if error_code(error) == "ratelimited" else _REFUSED_SECONDS


def title_of(text: str) -> str:
    """Return a title for a thread that opens with `text`: its first line, without markup.

    At most `TITLE_CHARACTERS`, cut between words where there are any; ``""`` for nothing to name.
    """
    lines = (" ".join(_MARKS.sub(" ", line).split()) for line in plain(text).splitlines())
    line = next((line for line in lines if line), "")
    if len(line) <= TITLE_CHARACTERS:
        return line
    cut = line[: TITLE_CHARACTERS - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > TITLE_CHARACTERS // 2 else cut).rstrip() + "…"
