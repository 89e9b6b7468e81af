"""The worker function: it stores what the front has queued, and works until nothing is left.

Everything is opened for one invocation and closed after it: a connection that stayed open would
keep Aurora from pausing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from typing import Any, Protocol, TypeAlias

from slack_bolt.async_app import AsyncBoltRequest

from bot.listeners.app import DEPARTURES
from bot.pipeline.reply import ANSWER_SECONDS
from bot.queue.draining import drain
from bot.runtime.ask import AskHandler
from bot.runtime.connections import connected
from bot.runtime.front import build_app
from bot.runtime.wiring import Application
from bot.runtime.worker import register_work
from bot.slack.client import Installation
from bot.slack.messages import installation_team
from bot.slack.payloads import UNREADABLE
from bot.views.modal_triggers import OPENED
from bot.views.views import form_with_errors
from deploy.aws import envelopes
from deploy.aws.command import run_command
from deploy.aws.continuing import continue_at
from deploy.aws.reading import read_settings
from deploy.aws.waking import needs_database, told_while_waking

log = logging.getLogger(__name__)

Envelope: TypeAlias = dict[str, Any]

REPLIES_AT_ONCE = 16
BACKGROUND_JOBS_AT_ONCE = 4
POOL_SIZE = 8
# What is left at the end for handing work back, leaving a schedule and closing connections.
_RESERVE_SECONDS = 20.0
_ANSWER_SECONDS = 60.0
# Of the time for work. An answer that is still being written at its end is begun again by the next
# invocation, so one that is begun first has to end before.
_MODEL_SHARE = 0.8
_SOONEST = timedelta(minutes=1)
# Slack sends an event this long after the app was removed at most; times of events are whole.
_LATE_SECONDS = 60.0


class Context(Protocol):
    """Lambda's context object, as far as it is used.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    invoked_function_arn: str

    def get_remaining_time_in_millis(self) -> int:
        """Return how long this invocation may still take."""


class _Known:
    """State that a cold start creates and later invocations reuse."""

    def __init__(self) -> None:
        settings, addresses = read_settings()
        self.database = addresses.login
        given = settings.model_fields_set
        changes: dict[str, object] = {} if "pool_size" in given else {"pool_size": POOL_SIZE}
        # After the last reply of its loop, and not a while later: nothing waits here.
        changes["formation_delay"] = 0.0
        self.settings = settings.model_copy(update=changes)
        self.installation: Installation | None = None


_known = cache(_Known)


def handler(envelope: Envelope, context: Context) -> dict[str, Any]:
    """Do what one envelope asks for, then all the work there is.

    ``{"kind": "slack", "body", "content_type"}`` is a verified request of Slack, ``{"kind": "ask",
    "user_id", "prompt"}`` the article's call, ``{"kind": "continue"}`` nothing but the work.
    ``{"kind": "command", "arguments"}`` runs a command of `kioku` and no work.
    """
    if envelope["kind"] == "command":
        left = context.get_remaining_time_in_millis() / 1000
        return run_command(envelope.get("arguments"), left - _RESERVE_SECONDS)
    return asyncio.run(_handle(envelope, context))


async def _handle(envelope: Envelope, context: Context) -> dict[str, Any]:
    until = asyncio.get_running_loop().time() - _RESERVE_SECONDS
    until += context.get_remaining_time_in_millis() / 1000
    if not _is_readable(envelope):
        # Not an error: Lambda would invoke this function again with the same event.
        log.warning("a request from Slack could not be read")
        return {"statusCode": 200, "body": ""}
    if not needs_database(envelope):
        return {"statusCode": 200, "body": ""}
    answer: dict[str, Any] = {"statusCode": 200, "body": ""}
    async with _opened(envelope, until) as wiring:
        if envelope["kind"] == "slack":
            await _dispatch(wiring, envelope)
        elif envelope["kind"] == "ask":
            answer = await _ask(wiring, envelope)
        register_work(wiring)
        due = await drain(
            wiring.queue, until, replies=REPLIES_AT_ONCE, background=BACKGROUND_JOBS_AT_ONCE
        )
    if due is not None:
        continue_at(max(due, datetime.now(UTC) + _SOONEST), context.invoked_function_arn)
    return answer


@asynccontextmanager
async def _opened(envelope: Envelope, until: float) -> AsyncIterator[Application]:
    known = await asyncio.to_thread(_known)
    async with told_while_waking(known.settings, envelope) as awake:
        opening = connected(
            known.settings,
            known.database,
            min_connections=0,
            installation=known.installation or _departed(envelope),
            left_after=_left_after(envelope),
        )
        async with opening as connections:
            awake()
            if connections.installation is not None and connections.installation.bot_token:
                known.installation = connections.installation
            left = until - asyncio.get_running_loop().time()
            wiring = Application(
                connections, answer_seconds=min(ANSWER_SECONDS, left * _MODEL_SHARE)
            )
            await wiring.queue.open()
            try:
                yield wiring
            finally:
                await wiring.sessions.close()
                await wiring.quotas.written()


def _departed(envelope: Envelope) -> Installation | None:
    """Return the app's ids from an event about a departure; Slack no longer answers for them."""
    sent = envelopes.read(envelope) if envelope["kind"] == "slack" else {}
    event = sent.get("event")
    if not isinstance(event, dict) or event.get("type") not in DEPARTURES:
        return None
    first = (sent.get("authorizations") or [{}])[0]
    return Installation(
        team_id=installation_team(sent), bot_user_id=str(first.get("user_id") or "")
    )


def _left_after(envelope: Envelope) -> float | None:
    """Return the Unix time after which a removal of the app explains that its token is refused.

    Slack sends messages to an installed app only. One that was written after the removal therefore
    means that the app is installed again, and that the secret still has the old token: an error.
    None for requests without a time, such as commands and clicks: there it is always an error.
    """
    if envelope["kind"] == "continue":
        return 0.0
    event_time = envelopes.read(envelope).get("event_time") if envelope["kind"] == "slack" else None
    return float(event_time) - _LATE_SECONDS if isinstance(event_time, int) else None


def _is_readable(envelope: Envelope) -> bool:
    if envelope["kind"] != "slack":
        return True
    try:
        installation_team(envelopes.read(envelope))
        needs_database(envelope)
    except UNREADABLE:
        return False
    return True


async def _dispatch(wiring: Application, envelope: Envelope) -> None:
    sent = envelopes.read(envelope)
    if view_id := envelope.get("view_id"):
        sent[OPENED] = view_id
    response = await build_app(wiring).async_dispatch(_request(envelope, sent))
    if response.status >= 500:
        # Lambda invokes this function again with the same event.
        raise RuntimeError("An event could not be stored; it is delivered again.")
    acked = response.status == HTTPStatus.OK and sent.get("view")
    errors = json.loads(response.body or "{}").get("errors") if acked else None
    if errors:
        # The front has answered for it already: the form comes back in the modal's place.
        view = sent["view"]
        client = wiring.connections.slack.client(installation_team(sent))
        await client.views_update(view_id=view["id"], view=form_with_errors(view, errors))
    await wiring.responder.wait_until_idle(_ANSWER_SECONDS)


def _request(envelope: Envelope, sent: dict[str, Any]) -> AsyncBoltRequest:
    """Return `sent`, what was read of the envelope or more, as Bolt takes it."""
    content_type = str(envelope["content_type"])
    body = json.dumps(sent)
    if content_type.startswith(envelopes.FORM):
        body = urllib.parse.urlencode(sent if "command" in sent else {"payload": body})
    return AsyncBoltRequest(body=body, headers={"content-type": [content_type]})


async def _ask(wiring: Application, envelope: Envelope) -> dict[str, Any]:
    asks = AskHandler(wiring.turn_dependencies, wiring.quotas)
    status, text = await asks.answer(envelope["user_id"], envelope["prompt"])
    return {"statusCode": status, "body": text}
