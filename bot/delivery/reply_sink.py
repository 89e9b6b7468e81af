"""What a reply is written to, in Slack or for POST /ask, and what stands below it."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Sequence
from typing import Self, TypeAlias

from bot.acts.blocks import Block, Payload, actions, button, note, option
from bot.acts.kinds import ACT, Open, Position, Rate, Switch
from bot.acts.lines import off_line
from bot.app import App
from bot.conversation.turns import Turn
from bot.delivery.reply_in_slack import ReplyInSlack, State
from bot.locale import Localizer, language_of
from bot.people import MemoryState
from bot.slack.client import PATIENCE_SECONDS, SLACK_FAULTS, slack_fault
from bot.slack.messages import API_TEAM
from bot.slack.posting import show_privately
from bot.slack.sessions import SESSION_SECONDS, title_of
from bot.types import Reply
from memory import DM

log = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
MORE = "more"
"""The block of `more_buttons`, whose message is never updated, because it may be a stream."""
# What the link filter makes of an address with a scheme, and of a mail address.
_UNLINKED = re.compile(r"\w:/ /|\w@ \w")
# A bracket would end a label early.
_TO_LABEL = str.maketrans("[]", "()")


def reply_text(localizer: Localizer, reply: Reply) -> str:
    """Return a reply's whole Markdown, with citations as links below it."""
    text = reply.text.rstrip()
    if reply.cut:
        text += "\n\n" + localizer.say(reply.cut)
    if reply.citations:
        text += f"\n\n**{localizer.say('sources')}**"
        for citation in reply.citations:
            label = " ".join(citation.title.translate(_TO_LABEL).split()) or "link"
            text += f"\n- [{label}]({citation.url})"
    return text


def footer(
    localizer: Localizer,
    text: str,
    memory_state: MemoryState,
    *,
    stand_in: bool,
    can_be_rated: bool = False,
) -> list[Block]:
    """Return what appears below an answer with this text.

    `stand_in`: no language model wrote the answer, which a person's first answer says.
    `can_be_rated`: buttons rate it. If memory was off for the message, a line says so.
    """
    lines: list[str] = []
    if not stand_in:
        lines.append(localizer.say("footer"))
    elif memory_state.is_first:
        lines.append(localizer.say("footer_stand_in"))
    if memory_state.off is not None:
        lines.append(off_line(localizer, memory_state.off))
    elif memory_state.needs_introduction:
        lines.append(localizer.say("footer_memory"))
    if _UNLINKED.search(text):
        lines.append(localizer.say("footer_links"))
    blocks: list[Block] = []
    if lines:
        blocks.append(note(*lines))
    if can_be_rated:
        blocks.append(_rating(localizer))
    return blocks


def _rating(localizer: Localizer) -> Block:
    """Return the buttons that rate an answer.

    Source: https://docs.slack.dev/reference/block-kit/blocks/context-actions-block
    """
    good = Rate(rating="good")
    bad = Rate(rating="bad")
    buttons = {
        "type": "feedback_buttons",
        "action_id": ACT,
        "positive_button": option(localizer.say("feedback_good"), good.value),
        "negative_button": option(localizer.say("feedback_bad"), bad.value),
    }
    return {"type": "context_actions", "elements": [buttons]}


def more_buttons(localizer: Localizer) -> Block:
    """Return the buttons below a refusal: what the person may have wanted of memory."""
    return actions(
        button(localizer.say("more_see"), Position()),
        button(localizer.say("more_forget"), Position(list="forget")),
        button(localizer.say("more_pause"), Switch(to="off")),
        button(localizer.say("help_title"), Open(form="help")),
        block_id=MORE,
    )


class ReplyStream:
    """The reply to one message, as a context manager.

    What is written is shown once a second. The methods raise `Interrupted` if the reply must end.
    """

    interactive = True

    def __init__(self, app: App, turn: Turn) -> None:
        self._app = app
        self._turn = turn
        self._message = turn.message
        self._localizer: Localizer | None = None
        self._reply = ReplyInSlack(app, turn)
        title = ""
        opens_dm = self._message.opens_thread and self._message.audience == DM
        if opens_dm and turn.memory_state.on_record:
            title = title_of(app.names.shown(turn.words))
        self._processing = app.sessions.begin(self._message, title)
        self._is_active = False
        self._shown_at = float("-inf")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object = None, *_: object) -> None:
        sessions = self._app.sessions
        thread = self._message.thread
        if kind is None and not self._is_active:
            await sessions.end(thread)
        elif not self._is_active:
            sessions.activate(thread)
        await self._reply.leave()

    @property
    def text(self) -> str:
        """The text of the reply so far."""
        return self._reply.text

    async def localizer(self) -> Localizer:
        """Return the localizer for the person who reads the reply."""
        if self._localizer is None:
            person = self._message.person
            settings = self._turn.memory_state.settings
            self._localizer = await self._app.people.localizer(
                person, self._message.text, settings=settings
            )
        return self._localizer

    async def write(self, piece: str) -> None:
        """Take a piece of the reply; send the collected text to Slack once a second.

        Raises `Interrupted`, with the piece taken, if the reply must end.
        """
        self._reply.text += piece
        self._turn.claimed.run.raise_if_interrupted()
        if time.monotonic() - self._shown_at < FLUSH_SECONDS:
            return
        if await self._reply.show():
            self._shown_at = time.monotonic()

    def start_over(self) -> None:
        """Discard the text so far; what is shown of it is deleted when there is more to show."""
        self._reply.start_over()

    async def finish(
        self,
        text: str,
        *,
        can_be_rated: bool = False,
        offers_more: bool = False,
        cited: int = 0,
    ) -> None:
        """Deliver the whole reply; the other arguments are those of its `footer`.

        A button opens the memories that it rests on, of which there are `cited`. `offers_more`:
        buttons offer what the person may have wanted instead.

        Raises `DeliveryFailed` if Slack refuses it in every form, what the Slack client raises if
        Slack is unavailable for too long, and `Interrupted`, though not for Stop, because the text
        is complete.
        """
        localizer = await self.localizer()
        below = footer(
            localizer,
            text,
            self._turn.memory_state,
            stand_in=self._app.settings.stand_in,
            can_be_rated=can_be_rated,
        )
        if cited:
            label = localizer.say("cited_button", count=cited)
            shows = Position(list="cited", of=str(self._turn.id))
            below.append(actions(button(label, shows)))
        if offers_more:
            below.append(more_buttons(localizer))
        was_set = await self._processing_is_set()
        has_ended = await self._reply.finish(text, below)
        self._is_active = has_ended and was_set

    async def tell(self, payload: Payload) -> str:
        """Post a message of the app's own as the whole reply; return its text.

        Raises as `finish` does.
        """
        await self._reply.tell(payload)
        return payload["text"]

    async def stop(self) -> str:
        """End the reply where it is, with a line that says so; return what the person sees."""
        localizer = await self.localizer()
        below = footer(
            localizer,
            self._reply.text,
            self._turn.memory_state,
            stand_in=self._app.settings.stand_in,
        )
        was_set = await self._processing_is_set()
        has_ended = await self._reply.stop(localizer.say("stopped"), below)
        self._is_active = has_ended and was_set
        return self._reply.text

    async def show(self, messages: Sequence[Payload]) -> None:
        """Send messages below the reply; in a channel only the person sees them."""
        client = self._app.slack.client(
            self._message.team_id, patience=PATIENCE_SECONDS
        )
        for payload in messages:
            try:
                await show_privately(
                    client,
                    payload,
                    channel=self._message.channel_id,
                    user=self._message.user_id,
                    thread_ts=self._message.thread_ts,
                )
            except SLACK_FAULTS as error:
                log.warning("a private message was not shown: %s", slack_fault(error))

    async def _processing_is_set(self) -> bool:
        """Return whether Slack has answered the call that began the session.

        A call carried out after the end of the stream would leave the session `processing`.
        """
        if self._reply.state is State.STREAMING and not self._processing.done():
            await asyncio.wait({self._processing}, timeout=SESSION_SECONDS)
        return self._processing.done()


class CollectedReply:
    """The reply to `prompt`, as a context manager: there are no buttons, and no Stop."""

    interactive = False

    def __init__(self, prompt: str) -> None:
        self._localizer = Localizer(language_of(None, prompt))
        self.text = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close nothing: nothing is open."""

    async def localizer(self) -> Localizer:
        """Return the localizer for the language of the prompt."""
        return self._localizer

    async def write(self, piece: str) -> None:
        """Take a piece of the reply."""
        self.text += piece

    def start_over(self) -> None:
        """Discard the text so far."""
        self.text = ""

    async def finish(self, text: str, **_: int) -> None:
        """Take the whole reply."""
        self.text = text

    async def tell(self, payload: Payload) -> str:
        """Raise `NotImplementedError`: the model is offered no tools that show something."""
        raise NotImplementedError

    async def stop(self) -> str:
        """Return the text so far."""
        return self.text

    async def show(self, messages: Sequence[Payload]) -> None:
        """Do nothing: only the reply is returned."""


ReplySink: TypeAlias = ReplyStream | CollectedReply


def open_sink(app: App, turn: Turn) -> ReplySink:
    """Return what the reply of a turn is written to, as a context manager."""
    if turn.message.team_id == API_TEAM:
        return CollectedReply(turn.message.text)
    return ReplyStream(app, turn)
