"""``POST /ask``: answers one prompt over HTTP, through the same turn as a Slack message."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Self, cast
from uuid import uuid4

from aiohttp import web
from psycopg import OperationalError

from bot.conversation.claimed_message import ClaimedMessage
from bot.conversation.turns import Outcome
from bot.locale import Language, language_of
from bot.logs import fault, log_fields
from bot.pipeline.turn import TurnDependencies, create_turn
from bot.runtime.ask_request import WRONG_BODY, WRONG_TOKEN, is_bearer, read_call
from bot.runtime.http_routes import Handler
from bot.slack.ephemeral import PayloadMaker
from bot.slack.messages import API_TEAM, Message
from bot.types import Task
from bot.users.quotas import QuotaExceeded, Quotas
from memory import DM, Person

log = logging.getLogger(__name__)

_DOWN = "The memory cannot be reached just now: please ask again in a minute.\n"


class Collected:
    """An answer that is gathered and returned whole."""

    interactive = False

    def __init__(self, message: Message) -> None:
        self._message = message
        self.received_text = ""
        self.text = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing to close."""

    async def language(self) -> Language:
        """Return the language of the prompt."""
        return language_of(None, self._message.text)

    def expect(self) -> None:
        """There is nothing to make ready."""

    async def check(self) -> None:
        """Do nothing: a call has no Stop button."""

    async def write(self, piece: str) -> None:
        """Take a piece."""
        self.received_text += piece

    async def task(self, task: Task) -> None:
        """Do nothing: only the whole answer is returned."""

    def start_over(self) -> None:
        """Drop what has come."""
        self.received_text = ""

    async def finish(
        self, text: str, *, recalled: bool = False, can_be_rated: bool = False
    ) -> None:
        """Keep the whole answer; over HTTP there are no buttons below it."""
        del recalled, can_be_rated
        self.text = text

    async def show(self, makers: Sequence[PayloadMaker]) -> bool:
        """Show nothing: an HTTP response has no buttons."""
        return not makers


class AskHandler:
    """Turns for callers of the HTTP API; their people live in a team of their own.

    A caller reaches the namespace ``("chat", "API", user_id, "dm")`` and no Slack person's.
    """

    def __init__(self, dependencies: TurnDependencies, quotas: Quotas) -> None:
        self._quotas = quotas
        self._turn = create_turn(dependencies, self._open_reply_sink)
        self._collected: dict[str, Collected] = {}

    def _open_reply_sink(self, claimed: ClaimedMessage, *_: object) -> Collected:
        return self._collected[claimed.message.event_id]

    async def answer(self, user_id: str, prompt: str) -> tuple[int, str]:
        """Answer one call that `read_call` read; return the HTTP status and the text."""
        try:
            await self._quotas.admit(Person(API_TEAM, user_id))
            outcome, text = await self._ask(user_id, prompt)
        except QuotaExceeded as used_up:
            return 429, used_up.refusal(language_of(None, prompt)) + "\n"
        except OperationalError as error:
            log.warning("a question over HTTP was not answered: %s", fault(error))
            return 503, _DOWN
        return 503 if outcome == "failed" else 200, text

    async def _ask(self, user_id: str, prompt: str) -> tuple[Outcome, str]:
        """Answer `prompt` as that user's direct message; return what came of it, and the text."""
        event_id = uuid4().hex
        ts = f"{time.time():.6f}"
        message = Message(
            event_id=event_id,
            team_id=API_TEAM,
            user_id=user_id,
            user_team_id=API_TEAM,
            channel_id=f"API{user_id}",
            ts=ts,
            thread_ts=ts,
            text=prompt,
            audience=DM,
            addressed=True,
        )
        collected = self._collected[event_id] = Collected(message)
        try:
            # Not in the inbox: the caller waits for the answer, and asks again without one.
            claimed = ClaimedMessage(id=0, message=message, earlier_attempts=0)
            with log_fields(team=API_TEAM):
                outcome = cast(Outcome, await self._turn.ainvoke(claimed))
        finally:
            del self._collected[event_id]
        return outcome, collected.text


def ask_route(asks: AskHandler, token: str) -> Handler:
    """Return the handler of ``POST /ask``; `token` is what the bearer has to be."""

    async def ask(request: web.Request) -> web.Response:
        if not is_bearer(request.headers.get("authorization", ""), token):
            return web.Response(status=401, text=WRONG_TOKEN)
        try:
            call = read_call(await request.text())
        except (ValueError, LookupError):  # no text, or in an encoding that there is not
            call = None
        if call is None:
            return web.Response(status=400, text=WRONG_BODY)
        status, text = await asks.answer(*call)
        return web.Response(status=status, text=text)

    return ask
