"""``POST /ask``: answers one prompt over HTTP, through the same turn as a Slack message."""

from __future__ import annotations

import hmac
import time
from typing import Annotated, Self
from uuid import uuid4

from aiohttp import web
from psycopg import OperationalError
from pydantic import AfterValidator, BaseModel, Field, ValidationError

from bot.access import QuotaExceeded, admit
from bot.conversation.inbox import ClaimedMessage
from bot.conversation.run import Interrupted, Run
from bot.locale import Reader, language_of
from bot.pipeline.turn import TurnDependencies, create_turn
from bot.slack.messages import API_TEAM, MAX_CHARACTERS, Message, storable
from bot.types import Task
from bot.ui.messages import PayloadMaker
from memory import DM


class _Call(BaseModel):
    user_id: str = Field(pattern=r"^[A-Z0-9]{1,64}$")
    prompt: Annotated[
        str, AfterValidator(storable), Field(pattern=r"\S", max_length=MAX_CHARACTERS)
    ]


class _Collected:
    """An answer that is gathered and returned whole: there are no buttons, and no Stop."""

    interactive = False
    received_text = text = ""

    def __init__(self, reader: Reader) -> None:
        self.who = reader

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...
    async def check(self) -> None: ...
    async def task(self, task: Task) -> None: ...
    async def show(self, makers: object) -> None: ...

    async def reader(self) -> Reader:
        return self.who

    async def write(self, piece: str) -> None:
        self.received_text += piece

    def start_over(self) -> None:
        self.received_text = ""

    async def finish(self, text: str, **_: bool) -> None:
        self.text = text

    async def tell(self, make_payload: PayloadMaker) -> str:
        raise NotImplementedError("Its callers are offered no tools that show something.")

    async def stop(self) -> str:
        return self.received_text


async def answer(dependencies: TurnDependencies, user_id: str, prompt: str) -> str:
    """Answer a call in the namespace ``("chat", "API", user_id, "dm")``.

    Raises `aiohttp.web.HTTPException`.
    """
    app = dependencies.app
    sink = _Collected(Reader(language_of(None, prompt)))
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
        await admit(app.pool, app.settings, message.person)
        turn = create_turn(dependencies, lambda *_: sink)
        run = Run(
            app.pool,
            app.queue.pulse,
            uuid4(),
            token=uuid4(),
            thread=message.thread,
            changed_ts="",
        )
        outcome = await turn.ainvoke(ClaimedMessage(run=run, message=message))
    except QuotaExceeded as used_up:
        raise web.HTTPTooManyRequests(text=used_up.refusal(sink.who) + "\n") from None
    except Interrupted:
        raise web.HTTPConflict(text="The person was erased meanwhile.\n") from None
    except OperationalError:
        away = "The memory cannot be reached just now: please ask again in a minute.\n"
        raise web.HTTPServiceUnavailable(text=away) from None
    if outcome == "failed":
        raise web.HTTPServiceUnavailable(text=sink.text)
    return sink.text


def read_call(authorization: str, body: str | bytes, token: str) -> tuple[str, str]:
    """Return the ``user_id`` and ``prompt`` of a call.

    `authorization` is the header ``Bearer TOKEN``. Raises `aiohttp.web.HTTPException`.
    """
    scheme, _, given = authorization.partition(" ")
    # A header may hold bytes that are no text.
    right = hmac.compare_digest(given.encode(errors="surrogateescape"), token.encode())
    if not (token and right and scheme.lower() == "bearer"):
        raise web.HTTPUnauthorized(text="The bearer token is missing or wrong.\n")
    try:
        sent = _Call.model_validate_json(body)
    except ValidationError:
        form = '{"user_id": "MZ0001", "prompt": "…"}; user_id is capital letters and digits'
        limit = f"prompt has at most {MAX_CHARACTERS:,} characters"
        raise web.HTTPBadRequest(text=f"Send JSON: {form}, {limit}.\n") from None
    return sent.user_id, sent.prompt


def add_ask(application: web.Application, dependencies: TurnDependencies, token: str) -> None:
    """Add ``POST /ask`` for callers that show `token`."""

    async def ask(request: web.Request) -> web.Response:
        call = read_call(request.headers.get("authorization", ""), await request.read(), token)
        return web.Response(text=await answer(dependencies, *call))

    application.router.add_post("/ask", ask)
