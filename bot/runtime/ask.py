"""``POST /ask``: answers one prompt over HTTP, through the same turn as a Slack message."""

from __future__ import annotations

import hmac
import time
from typing import Annotated
from uuid import uuid4

from aiohttp import web
from psycopg import OperationalError
from pydantic import AfterValidator, BaseModel, Field, ValidationError

from bot.access import QuotaExceeded
from bot.answering.turn import answer_message
from bot.app import App
from bot.cancellation import Interrupted
from bot.conversation.audiences import DIRECT
from bot.conversation.inbox import ClaimedMessage
from bot.conversation.run import Run
from bot.locale import Localizer, language_of
from bot.slack.messages import API_TEAM, MAX_CHARACTERS, Message, storable
from memory import DM

DATABASE_AWAY = "The memory cannot be reached just now: please ask again in a minute.\n"
"""The text of a 503 while PostgreSQL is away."""


class _Call(BaseModel):
    user_id: str = Field(pattern=r"^[A-Z0-9]{1,64}$")
    prompt: Annotated[
        str, AfterValidator(storable), Field(pattern=r"\S", max_length=MAX_CHARACTERS)
    ]


async def answer(app: App, user_id: str, prompt: str) -> str:
    """Answer a call in the namespace ``("chat", "API", user_id, "dm")``.

    Raises `aiohttp.web.HTTPException`.
    """
    if app.presence.problem is not None:
        raise web.HTTPServiceUnavailable(text=f"{app.presence.problem}\n")
    ts = f"{time.time():.6f}"
    message = Message(
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
    try:
        run = Run(app, uuid4(), token=uuid4(), thread=message.thread)
        claimed = ClaimedMessage(run=run, message=message, kind=DIRECT)
        outcome, text = await answer_message(app, claimed)
    except QuotaExceeded as used_up:
        localizer = Localizer(language_of(None, prompt))
        refusal = localizer.say(
            "limit_reached", limit=used_up.limit, until=used_up.until(localizer)
        )
        raise web.HTTPTooManyRequests(text=f"{refusal}\n") from None
    except Interrupted:
        raise web.HTTPConflict(text="The person was erased meanwhile.\n") from None
    except OperationalError:
        raise web.HTTPServiceUnavailable(text=DATABASE_AWAY) from None
    if outcome == "failed":
        raise web.HTTPServiceUnavailable(text=text)
    return text


def read_call(authorization: str, body: str | bytes, token: str) -> tuple[str, str]:
    """Return the ``user_id`` and ``prompt`` of a call.

    `authorization` is the header ``Bearer TOKEN``. Raises `aiohttp.web.HTTPException`.
    """
    scheme, _, given = authorization.partition(" ")
    # A header may hold bytes that are not text.
    sent_token = given.encode(errors="surrogateescape")
    is_right = hmac.compare_digest(sent_token, token.encode())
    if not (token and is_right and scheme.lower() == "bearer"):
        raise web.HTTPUnauthorized(text="The bearer token is missing or wrong.\n")
    try:
        sent = _Call.model_validate_json(body)
    except ValidationError:
        form = '{"user_id": "MZ0001", "prompt": "…"}; user_id is capital letters and digits'
        limit = f"prompt has at most {MAX_CHARACTERS:,} characters"
        raise web.HTTPBadRequest(text=f"Send JSON: {form}, {limit}.\n") from None
    return sent.user_id, sent.prompt


def add_ask(application: web.Application, app: App, token: str) -> None:
    """Add ``POST /ask`` for callers that send `token`."""

    async def ask(request: web.Request) -> web.Response:
        authorization = request.headers.get("authorization", "")
        user_id, prompt = read_call(authorization, await request.read(), token)
        return web.Response(text=await answer(app, user_id, prompt))

    application.router.add_post("/ask", ask)
