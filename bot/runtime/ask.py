"""``POST /ask``: answers one prompt over HTTP, through the same turn as a Slack message."""

from __future__ import annotations

import hmac
import json
import logging
import re
import time
from collections.abc import Sequence
from typing import Self
from uuid import uuid4

from psycopg import OperationalError

from bot.conversation.claimed_message import ClaimedMessage
from bot.locale import Language, language_of
from bot.logs import fault, log_fields
from bot.pipeline.turn import TurnDependencies, create_turn
from bot.slack.ephemeral import PayloadMaker
from bot.slack.messages import API_TEAM, Message
from bot.slack.payloads import storable
from bot.types import Task
from bot.users.quotas import QuotaExceeded, Quotas
from memory import DM

log = logging.getLogger(__name__)

_USER = re.compile(r"[A-Z0-9]{1,64}\Z")


class Refused(Exception):
    """A call is not answered; the arguments are the HTTP status and the text."""


class _Collected:
    """An answer that is gathered and returned whole: there are no buttons, and no Stop."""

    interactive = False

    def __init__(self, language: Language) -> None:
        self._language = language
        self.received_text = self.text = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...
    def expect(self) -> None: ...
    async def check(self) -> None: ...
    async def task(self, task: Task) -> None: ...

    async def language(self) -> Language:
        return self._language

    async def write(self, piece: str) -> None:
        self.received_text += piece

    def start_over(self) -> None:
        self.received_text = ""

    async def finish(self, text: str, **_: bool) -> None:
        self.text = text

    async def show(self, makers: Sequence[PayloadMaker]) -> None: ...


class AskHandler:
    """Turns for callers of the HTTP API, in the namespace ``("chat", "API", user_id, "dm")``."""

    def __init__(self, dependencies: TurnDependencies, quotas: Quotas) -> None:
        self._quotas = quotas
        self._sinks: dict[str, _Collected] = {}
        self._turn = create_turn(
            dependencies, lambda claimed, *_: self._sinks[claimed.message.event_id]
        )

    async def answer(self, user_id: str, prompt: str) -> tuple[int, str]:
        """Answer a call that `read_call` read; return the HTTP status and the text."""
        language, event_id, ts = language_of(None, prompt), uuid4().hex, f"{time.time():.6f}"
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
        sink = self._sinks[event_id] = _Collected(language)
        try:
            await self._quotas.admit(message.person)
            # Not in the inbox: the caller waits for the answer, and asks again without one.
            claimed = ClaimedMessage(id=0, message=message, earlier_attempts=0)
            with log_fields(team=API_TEAM):
                outcome = await self._turn.ainvoke(claimed)
        except QuotaExceeded as used_up:
            return 429, used_up.refusal(language) + "\n"
        except OperationalError as error:
            log.warning("a question over HTTP was not answered: %s", fault(error))
            return 503, "The memory cannot be reached just now: please ask again in a minute.\n"
        finally:
            del self._sinks[event_id]
        return 503 if outcome == "failed" else 200, sink.text


def read_call(authorization: str, body: str, token: str) -> tuple[str, str]:
    """Return the ``user_id`` and ``prompt`` of a call.

    `authorization` is the header ``Bearer TOKEN``. Raises `Refused` with the HTTP status and text.
    """
    scheme, _, given = authorization.partition(" ")
    # A header may hold bytes that are no text.
    right = hmac.compare_digest(given.encode(errors="surrogateescape"), token.encode())
    if not (token and right and scheme.lower() == "bearer"):
        raise Refused(401, "The bearer token is missing or wrong.\n")
    try:
        sent = json.loads(body)
        user_id, prompt = sent["user_id"], storable(sent["prompt"])
        if _USER.match(user_id) and prompt.strip():
            return user_id, prompt
    except (ValueError, TypeError, LookupError, RecursionError, AttributeError):
        pass
    raise Refused(
        400,
        'Send JSON: {"user_id": "MZ0001", "prompt": "…"}; user_id is capital letters and digits.\n',
    )
