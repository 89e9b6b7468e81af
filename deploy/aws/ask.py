"""``POST /ask`` as a Lambda function behind a Function URL."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from aiohttp import web
from psycopg import OperationalError

from bot.app import App
from bot.config import Settings
from bot.logs import fault
from bot.runtime.ask import DATABASE_AWAY, answer, read_call
from bot.runtime.database_addresses import database
from bot.runtime.maintenance import keep_up
from bot.runtime.wiring import open_app
from bot.runtime.worker import register_work
from bot.slack.messages import API_TEAM, Installation
from deploy.aws.settings import read_settings

log = logging.getLogger(__name__)

FORMATION_SECONDS = 120.0


@cache
def _settings() -> Settings:
    """Return the settings; memories are formed in the call, at once after the answer."""
    settings = read_settings()
    if settings.formation == "off":
        return settings
    return settings.model_copy(update={"formation": "hot"})


def keep_up_handler(event: object, context: object) -> None:
    """Delete what has expired or is past its retention, as a worker of the service does."""
    del event, context
    asyncio.run(_keep_up(_settings()))


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer a call, then form memories from it; `event` has the format 2.0 of Function URLs.

    If no memory is formed within two minutes, or PostgreSQL is lost meanwhile, the answer is
    returned all the same: the words stay, and a later call forms memories from them. `TIMEOUT`
    of `functions` is longer than both.
    Everything is opened for the call and closed after it, so that Aurora can pause.
    Source: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
    """
    del context
    return _respond(event, runs_jobs=True)


def handler_beside_service(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer a call; the service forms the memories.

    Jobs are left to the service, because most are Slack's, whose tokens a function does not have.
    """
    del context
    return _respond(event, runs_jobs=False)


def _respond(event: dict[str, Any], *, runs_jobs: bool) -> dict[str, Any]:
    body: str | bytes = event.get("body") or ""
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body)
    settings = _settings()
    token = ""
    if settings.api_token is not None:
        token = settings.api_token.get_secret_value()
    authorization = (event.get("headers") or {}).get("authorization", "")
    try:
        # Before the database is woken.
        user_id, prompt = read_call(authorization, body, token)
        text = asyncio.run(_answer(settings, user_id, prompt, runs_jobs=runs_jobs))
    except web.HTTPException as refused:
        return _response(refused.status, refused.text)
    except OperationalError as error:
        log.warning("PostgreSQL cannot be reached: %s", fault(error))
        return _response(503, DATABASE_AWAY)
    return _response(200, text)


def _response(status: int, text: str | None) -> dict[str, Any]:
    headers = {"content-type": "text/plain; charset=utf-8"}
    return {"statusCode": status, "headers": headers, "body": text}


@asynccontextmanager
async def _open_app(settings: Settings) -> AsyncIterator[App]:
    installation = Installation(team_id=API_TEAM, bot_user_id="")
    async with (
        database(settings) as addresses,
        open_app(settings, addresses.login, installation=installation) as app,
    ):
        await app.queue.open()
        register_work(app)
        yield app


async def _keep_up(settings: Settings) -> None:
    async with _open_app(settings) as app:
        await keep_up(app)


async def _answer(
    settings: Settings, user_id: str, prompt: str, *, runs_jobs: bool
) -> str:
    async with _open_app(settings) as app:
        text = await answer(app, user_id, prompt)
        if not runs_jobs:
            return text
        try:
            async with asyncio.timeout(FORMATION_SECONDS):
                await app.queue.run_until_empty()
        except Exception as error:  # noqa: BLE001 - whatever it was, there is an answer
            log.warning("no memory was formed after an answer: %s", fault(error))
        return text
