"""An answer on its way into Slack: streamed; else updated; else posted. Whole, and once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from slack_sdk.web.async_client import AsyncWebClient

from bot.locale import Language, say
from bot.logs import fault
from bot.messages import Message
from bot.person_settings import Standing
from bot.slack import SLACK_FAULTS, error_code, patiently
from bot.splitting import break_point, closing_fence, open_fence, split_markdown
from bot.surfaces.blocks import Block
from bot.surfaces.reply import PART_LIMIT, fallback, footer, message_blocks

log = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
# Slack ends a stream after about five minutes, even a busy one.
STREAM_SECONDS = 230.0
_POST_ATTEMPTS = 3
_STATUS_SECONDS = 2.0


class DeliveryFailed(Exception):
    """Slack does not take the answer: the conversation is archived, or the app was removed."""


@dataclass(slots=True)
class _Part:
    """One message of the answer."""

    ts: str
    text: str
    live: bool
    opened_at: float


class Delivery:
    """One answer in one thread; leaving it ends whatever of it still runs.

    `language` is the person's, as it becomes known. `posted` is awaited with each message's ts as
    soon as Slack has named it; `check` raises `bot.interruptions.Interrupted` where the answer is
    not to go on. `already_posted` names what an earlier attempt left; `resumed` says that there was
    one, which may have left more than it could note.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        message: Message,
        *,
        turn_id: UUID,
        language: Coroutine[Any, Any, Language],
        stand_in: bool,
        standing: Standing | None = None,
        posted: Callable[[str], Awaitable[None]],
        check: Callable[[], Awaitable[None]],
        already_posted: Sequence[str] = (),
        resumed: bool = False,
    ) -> None:
        self._client = client
        self._message = message
        self._turn_id = turn_id
        self._language = asyncio.create_task(language)
        self._status = asyncio.create_task(self._set_status())
        self._stand_in = stand_in
        self._drew_on = False
        self._standing = standing
        self._posted = posted
        self._check = check
        self._parts = [_Part(ts, "", live=True, opened_at=0.0) for ts in already_posted]
        self._taken = ""
        self._pending = ""
        self._may_stream = not (already_posted or resumed)
        self._flushed_at = float("-inf")
        self._start_lost = resumed

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        # Nothing of this delivery goes on when it is left, whatever happened.
        self._status.cancel()
        self._language.cancel()
        await asyncio.gather(self._status, self._language, return_exceptions=True)

    async def language(self) -> Language:
        """Return the language the person reads."""
        return await asyncio.shield(self._language)

    async def check(self) -> None:
        """Raise `Interrupted` where the person has stopped, edited or deleted their message."""
        await self._check()

    async def write(self, piece: str) -> None:
        """Take a piece of the answer; show what has gathered once a second.

        Raises `Interrupted`, with the piece taken.
        """
        self._taken += piece
        self._pending += piece
        if time.monotonic() - self._flushed_at < FLUSH_SECONDS or not self._pending.strip():
            return
        await self._check()
        if self._may_stream:
            await self._flush()
        self._flushed_at = time.monotonic()

    def start_over(self) -> None:
        """Begin the answer anew: what has been shown will be replaced by the whole."""
        self._may_stream = False
        self._taken = self._pending = ""

    async def finish(self, text: str, *, drew_on: bool = False) -> None:
        """Deliver the whole answer; with `drew_on` it can be asked which memories were in view.

        Raises `DeliveryFailed` when Slack takes it in no way.
        """
        self._drew_on = drew_on
        if self._may_stream and text.startswith(self._taken) and self._parts:
            self._pending += text[len(self._taken) :]
            if await self._flush(last=True):
                return
        await self._replace(split_markdown(text, PART_LIMIT))

    @property
    def taken(self) -> str:
        """What has come of the answer so far, whether shown yet or not."""
        return self._taken

    async def _set_status(self) -> None:
        if self._parts or self._start_lost:
            return  # Only a new reply clears the status line; here one is going to be updated.
        try:
            await self._client.assistant_threads_setStatus(
                channel_id=self._message.channel_id,
                thread_ts=self._message.thread_ts,
                status=say(await self.language(), "status"),
            )
        except SLACK_FAULTS as error:
            log.info("the status line was not shown: %s", error_code(error) or fault(error))

    async def _status_shown(self) -> None:
        # It must not come after the reply, which clears it; nor may it hold the reply up.
        _, late = await asyncio.wait({self._status}, timeout=_STATUS_SECONDS)
        for task in late:
            task.cancel()

    async def _below(self) -> list[Block]:
        return footer(
            await self.language(),
            stand_in=self._stand_in,
            standing=self._standing,
            drew_on=self._turn_id if self._drew_on else None,
        )

    async def _flush(self, *, last: bool = False) -> bool:
        """Stream what is pending; False, and no more streaming, when Slack does not take it."""
        try:
            while self._pending or last:
                part = self._parts[-1] if self._parts and self._parts[-1].live else None
                if part is not None and self._pending and self._is_full(part):
                    await self._close(part)
                    continue
                room = PART_LIMIT - (len(part.text) if part else 0)
                at = break_point(self._pending, room)
                text, self._pending = self._pending[:at], self._pending[at:]
                if part is None:
                    part = await self._open(text)
                elif last and not self._pending:
                    await self._stop(part, text)
                    return True
                else:
                    await self._append(part, text)
                if self._pending:
                    await self._close(part)
        except SLACK_FAULTS as error:
            log.info("streaming was given up: %s", error_code(error) or fault(error))
            self._may_stream = False
            return False
        return True

    def _is_full(self, part: _Part) -> bool:
        room = PART_LIMIT - len(part.text)
        return room < 200 or time.monotonic() - part.opened_at > STREAM_SECONDS

    async def _open(self, text: str) -> _Part:
        await self._status_shown()
        try:
            answer = await self._client.chat_startStream(
                channel=self._message.channel_id,
                thread_ts=self._message.thread_ts,
                recipient_team_id=self._message.user_team_id,
                recipient_user_id=self._message.user_id,
                markdown_text=text,
            )
        except SLACK_FAULTS as error:
            self._start_lost = not error_code(error)
            raise
        ts = str(answer["ts"])
        part = _Part(ts, text, live=True, opened_at=time.monotonic())
        self._parts.append(part)
        await self._posted(ts)
        return part

    async def _append(self, part: _Part, text: str) -> None:
        await self._client.chat_appendStream(
            channel=self._message.channel_id, ts=part.ts, markdown_text=text
        )
        part.text += text

    async def _stop(self, part: _Part, text: str) -> None:
        below = await self._below()
        await patiently(
            lambda: self._client.chat_stopStream(
                channel=self._message.channel_id,
                ts=part.ts,
                markdown_text=text or None,
                blocks=below,
                metadata=self._metadata(),
            )
        )
        part.text += text
        part.live = False

    async def _close(self, part: _Part) -> None:
        # A full part ends; a code block it leaves open goes on in the next one.
        if fence := open_fence(part.text):
            await self._append(part, f"\n{closing_fence(fence)}")
            self._pending = f"{fence}\n{self._pending}"
        await patiently(
            lambda: self._client.chat_stopStream(channel=self._message.channel_id, ts=part.ts)
        )
        part.live = False

    async def _replace(self, texts: Sequence[str]) -> None:
        """Make the thread show exactly `texts`: update what stands, post the rest."""
        await self._status_shown()
        if self._start_lost:
            await self._take_over()
        for index, text in enumerate(texts):
            below = await self._below() if index == len(texts) - 1 else []
            part = self._parts[index] if index < len(self._parts) else None
            if part is None:
                await self._post(text, below, index)
            elif not await self._update(part, text, below):
                await self._post(text, below, index)
                await self._delete(part)
        for part in self._parts[len(texts) :]:
            await self._delete(part)

    async def _delete(self, part: _Part) -> None:
        await self._end_stream(part)
        with suppress(*SLACK_FAULTS):
            await patiently(
                lambda: self._client.chat_delete(channel=self._message.channel_id, ts=part.ts)
            )

    async def _end_stream(self, part: _Part) -> None:
        if not part.live:
            return
        try:
            await patiently(
                lambda: self._client.chat_stopStream(channel=self._message.channel_id, ts=part.ts)
            )
        except SLACK_FAULTS as error:
            log.info("a stream could not be ended: %s", error_code(error) or fault(error))
            # Refused means that it had ended; after any other fault that is not known.
            part.live = not error_code(error)
        else:
            part.live = False

    async def _update(self, part: _Part, text: str, below: list[Block]) -> bool:
        for attempt in range(_POST_ATTEMPTS):
            await self._end_stream(part)
            try:
                await patiently(
                    lambda: self._client.chat_update(
                        channel=self._message.channel_id,
                        ts=part.ts,
                        text=fallback(text),
                        blocks=message_blocks(text, below),
                        metadata=self._metadata(),
                    )
                )
            except SLACK_FAULTS as error:
                if error_code(error) not in ("", "streaming_state_conflict"):
                    log.warning("a reply could not be updated: %s", error_code(error))
                    return False
                # To set the same text twice is harmless.
                await asyncio.sleep(0.3 * 2**attempt)
            else:
                part.text = text
                return True
        return False

    async def _post(self, text: str, below: list[Block], index: int) -> None:
        problem: BaseException | None = None
        for attempt in range(_POST_ATTEMPTS):
            try:
                answer = await patiently(
                    lambda: self._client.chat_postMessage(
                        channel=self._message.channel_id,
                        thread_ts=self._message.thread_ts,
                        text=fallback(text),
                        blocks=message_blocks(text, below),
                        unfurl_links=False,
                        unfurl_media=False,
                        metadata=self._metadata(index),
                    )
                )
            except SLACK_FAULTS as error:
                problem = error
                if error_code(error):
                    break
                await asyncio.sleep(0.3 * 2**attempt)
                if await self._was_posted(index):
                    return
            else:
                await self._posted(str(answer["ts"]))
                return
        raise DeliveryFailed("Slack did not take the reply.") from problem

    async def _take_over(self) -> None:
        """After a start that nobody noted: end what still streams, and make it a part."""
        self._start_lost = False
        known = {part.ts for part in self._parts}
        for found in await self._replies():
            ts = str(found["ts"])
            if ts in known or not found.get("bot_id"):
                continue
            if self._is_of_this_turn(found) or await self._has_ended(ts):
                self._parts.append(_Part(ts, "", live=False, opened_at=0.0))
                await self._posted(ts)

    def _is_of_this_turn(self, found: dict[str, Any]) -> bool:
        payload = (found.get("metadata") or {}).get("event_payload") or {}
        return bool(payload.get("turn") == str(self._turn_id))

    async def _has_ended(self, ts: str) -> bool:
        # Slack lets us end our own streams only, and those of the thread's other answers ended.
        for attempt in range(_POST_ATTEMPTS):
            try:
                await patiently(
                    lambda: self._client.chat_stopStream(channel=self._message.channel_id, ts=ts)
                )
            except SLACK_FAULTS as error:
                if error_code(error):
                    return False
                await asyncio.sleep(0.3 * 2**attempt)
            else:
                return True
        return False

    async def _was_posted(self, index: int) -> bool:
        """After a call that may have been carried out: look whether it was."""
        for found in await self._replies():
            if found.get("metadata") == self._metadata(index):
                await self._posted(str(found["ts"]))
                return True
        return False

    async def _replies(self) -> list[dict[str, Any]]:
        """Return what stands in the thread since the question; nothing where Slack does not say."""
        for attempt in range(_POST_ATTEMPTS):
            try:
                answer = await patiently(
                    lambda: self._client.conversations_replies(
                        channel=self._message.channel_id,
                        ts=self._message.thread_ts,
                        oldest=self._message.ts,
                        include_all_metadata=True,
                        limit=100,
                    )
                )
            except SLACK_FAULTS as error:
                log.info("a thread could not be looked at: %s", error_code(error) or fault(error))
                if error_code(error):
                    break
                # Whoever does not see what stands there posts it again: ask once more.
                await asyncio.sleep(0.3 * 2**attempt)
            else:
                return list(answer.get("messages") or [])
        return []

    def _metadata(self, index: int = 0) -> dict[str, Any]:
        # Every member of the workspace can read this: an opaque id only.
        payload = {"turn": str(self._turn_id), "part": index}
        return {"event_type": "kioku_turn", "event_payload": payload}
