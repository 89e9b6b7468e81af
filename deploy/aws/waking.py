"""While the database wakes up, about fifteen seconds, the person is told so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.config import Settings
from bot.listeners.app import EVENTS
from bot.listeners.change_events import CONVERSATION_CHANGES
from bot.locale import language_of, say
from bot.logs import fault
from bot.slack.client import SLACK_FAULTS, create_client
from bot.slack.messages import read_message
from deploy.aws import envelopes
from memory import InvalidNamespace

log = logging.getLogger(__name__)

_AFTER_SECONDS = 1.0
# Whatever else changes about people is asked of Slack again soon, and what somebody looks at comes
# with what they write then.
_NOT_WORTH_WAKING = frozenset({"app_context_changed", "user_change"})
_NOTED_SUBTYPES = CONVERSATION_CHANGES | {"message_deleted"}


def needs_database(envelope: dict[str, Any]) -> bool:
    """Say whether anything is to be stored or done: an idle database is not woken for nothing."""
    if envelope["kind"] != "slack":
        return True
    sent = envelopes.read(envelope)
    event = sent.get("event")
    if not isinstance(event, dict):
        return True
    if event.get("type") not in EVENTS:
        return False
    if event.get("type") in _NOT_WORTH_WAKING:
        user = event.get("user")
        return isinstance(user, dict) and bool(user.get("deleted"))
    if event.get("type") != "message" or event.get("subtype") in _NOTED_SUBTYPES:
        return True
    if event.get("subtype") == "message_changed":
        # Slack reports each update that the app makes to its own messages; Bolt drops it.
        changed = event.get("message")
        return not isinstance(changed, dict) or changed.get("user") != _bot_user_id(sent)
    try:
        return read_message(sent, _bot_user_id(sent)) is not None
    except InvalidNamespace:
        return False


@asynccontextmanager
async def told_while_waking(
    settings: Settings, envelope: dict[str, Any]
) -> AsyncIterator[Callable[[], None]]:
    """Show a status line, or a note to a command, unless what is yielded is called in time."""
    task = asyncio.create_task(_tell(settings, envelope))

    def awake() -> None:
        task.cancel()

    try:
        yield awake
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _tell(settings: Settings, envelope: dict[str, Any]) -> None:
    await asyncio.sleep(_AFTER_SECONDS)
    if envelope["kind"] != "slack" or settings.slack_bot_token is None:
        return
    sent = envelopes.read(envelope)
    try:
        if "event" in sent:
            message = read_message(sent, _bot_user_id(sent))
            if message is None or not message.addressed:
                return
            client = create_client(
                settings.slack_bot_token.get_secret_value(), settings.slack_api_url
            )
            await client.assistant_threads_setStatus(
                channel_id=message.channel_id,
                thread_ts=message.thread_ts,
                status=say(language_of(None, message.text), "status_waking"),
            )
        elif address := sent.get("response_url"):
            text = say(language_of(None, str(sent.get("text") or "")), "waking")
            await AsyncWebhookClient(str(address)).send(
                text=text, response_type="ephemeral", replace_original=False
            )
    except SLACK_FAULTS as error:
        log.info("that the database wakes up was not told: %s", fault(error))


def _bot_user_id(sent: dict[str, Any]) -> str:
    first = (sent.get("authorizations") or [{}])[0]
    return str(first.get("user_id") or "")
