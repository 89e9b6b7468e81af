"""Messages that show the result of a command or click to its person alone."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

import aiohttp
from psycopg import OperationalError

from bot.acts.blocks import Payload, section
from bot.listeners.origin import Body
from bot.locale import Localizer
from bot.network import proxy_for
from bot.slack.client import (
    SLACK_FAULTS,
    TeamClient,
    raise_if_passing,
    repeat,
    slack_fault,
)
from bot.slack.messages import UNREADABLE
from bot.slack.retries import RESPONSE_URL, RateLimits

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 10.0  # for retries of what shows a result
_TIMEOUT = aiohttp.ClientTimeout(total=30.0)


async def show_in_thread(client: TeamClient, body: Body, payload: Payload) -> bool:
    """Show the answer to a click or shortcut to its person alone, in the thread `body` names.

    Return False if it names none, or if Slack refuses because the app is not in that conversation.
    A response URL accepts a thread only for messages that the whole channel sees.
    Source: https://docs.slack.dev/interactivity/handling-user-interaction/#publishing_in_thread
    """
    # A shortcut has no container; it comes with the message itself.
    thread_ts = (body.get("container") or body.get("message") or {}).get("thread_ts")
    channel = (body.get("channel") or {}).get("id")
    if not (thread_ts and channel):
        return False
    user = body["user"]["id"]
    try:
        await client.chat_postEphemeral(
            channel=channel, user=user, thread_ts=thread_ts, **payload
        )
    except SLACK_FAULTS as error:
        log.info("an answer was not shown in its thread: %s", slack_fault(error))
        return False
    return True


async def respond(url: str, shown: Payload, *, replace: bool) -> bool:
    """Send a payload to a response URL, and again as `repeat` does.

    If Slack refuses it with 400, as for blocks that are too long, only its text is sent. Return
    False if Slack does not take it.
    """
    body: dict[str, Any] = {
        **shown,
        "response_type": "ephemeral",
        "replace_original": replace,
    }
    post = partial(_post, url, body)
    status = await repeat(RateLimits(), RESPONSE_URL, post, patience=PATIENCE_SECONDS)
    if status == HTTPStatus.BAD_REQUEST:
        log.warning("Slack refused the blocks of an answer, so its text is shown")
        body["blocks"] = [section(shown["text"])]
        status = await _post(url, body)
    if status != HTTPStatus.OK:
        log.warning("a response URL was refused: Slack answered %d", status)
    return status == HTTPStatus.OK


async def _post(url: str, body: Mapping[str, Any]) -> int:
    """Post JSON to a response URL once; return the status of the answer."""
    async with aiohttp.request(
        "POST",
        url,
        json=body,
        allow_redirects=False,
        proxy=proxy_for(url),
        timeout=_TIMEOUT,
    ) as answer:
        raise_if_passing(answer)
        return answer.status


def failure_sentence(localizer: Localizer, error: Exception) -> str:
    """Log a failure, and return the sentence that reports it to the person.

    An unavailable or busy database and unreadable values of a form are expected: only warnings.
    """
    expected = isinstance(error, (OperationalError, *UNREADABLE))
    level = logging.WARNING if expected else logging.ERROR
    log.log(level, "a command, click or form was not carried out", exc_info=error)
    return localizer.say("command_broke")
