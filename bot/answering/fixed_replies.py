"""Fixed sentences instead of a model's answer: refusals, apologies and interim replies.

While no model is available, messages wait without holding a place. The first message of each person
gets an interim reply, which says so and is replaced by the answer.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import Literal

from bot.access import AccessRefusal, QuotaExceeded
from bot.acts.blocks import Payload, payload
from bot.app import App
from bot.cancellation import Interrupted
from bot.conversation.inbox import (
    ClaimedMessage,
    Outcome,
    finish_without_turn,
    release_message,
)
from bot.conversation.turns import begin_turn, end_turn
from bot.delivery.reply_sink import open_sink
from bot.people import may_tell
from bot.queue.retries import RunLater
from bot.slack.client import PATIENCE_SECONDS, TeamClient, unless_refused
from bot.slack.posting import notice_metadata, post_once, show_privately
from bot.slack.reading import read_said
from memory import DM

log = logging.getLogger(__name__)

_DAY_SECONDS = 86_400.0
MAX_HELD_ATTEMPTS = 121
"""A job that waits for a model gives up after this many runs, about half an hour."""
# For this time, or until they get an answer, a person gets one interim reply, however many messages
# they write. No message waits longer.
_INTERIM_SECONDS = 1_800.0
_HELD_SECONDS = 5.0
_LONGEST_HELD_SECONDS = 15.0


async def postpone(app: App, claimed: ClaimedMessage, *, failed: bool = False) -> None:
    """Postpone a message; send its author an interim reply if it is the first one that waits.

    Slack shows of each that it waits. `failed`: the model fails for this message alone, which is
    counted. Raises `RunLater`, unless the job and the message have both waited for half an hour:
    then the author is told that the message stays unanswered.
    """
    has_waited = claimed.waited >= _INTERIM_SECONDS
    if claimed.attempts >= MAX_HELD_ATTEMPTS and has_waited:
        log.error("message %s was given up: no model answered in time", claimed.id)
        await reply_fixed(app, claimed, "held_too_long", form_words=True)
        return
    message = claimed.message
    if not claimed.replied and await may_tell(
        app.pool, message.person, message.ts, _INTERIM_SECONDS
    ):
        await reply_fixed(app, claimed, "held", outcome=None, form_words=True)
    await release_message(app, claimed, failed=failed)
    app.sessions.show_wait(message, after=0.0)
    delay = _HELD_SECONDS * (1 + claimed.attempts)
    raise RunLater(min(delay, _LONGEST_HELD_SECONDS))


async def end_unanswered(
    app: App, claimed: ClaimedMessage, status: Literal["skipped", "failed"]
) -> None:
    """End a message without a reply, unless it is no longer this run's.

    This also ends a session status `processing` that a dead process may have left.
    """
    if claimed.attempts or claimed.failures:
        await app.sessions.end(claimed.message.thread)
    with suppress(Interrupted):
        await finish_without_turn(app, claimed, status)


async def refuse_access(
    app: App, claimed: ClaimedMessage, refusal: AccessRefusal
) -> None:
    """Tell the author why there is no answer: in a channel once a day.

    Only they see it, except `shared_channel`, which is posted in the thread. The sentence takes the
    place of an interim or unfinished reply. None of the message's text is stored.
    """
    if claimed.begun:
        await reply_fixed(app, claimed, refusal, outcome="answered")
        return
    message = claimed.message
    is_shown = message.audience == DM
    if message.addressed and not is_shown:
        is_shown = await may_tell(app.pool, message.person, message.ts, _DAY_SECONDS)
    if is_shown:
        localizer = await app.people.localizer(message.person, message.text)
        shown = payload(localizer.say(refusal))
        client = app.slack.client(message.team_id, patience=PATIENCE_SECONDS)
        if refusal == "shared_channel":
            await _post_refusal(client, claimed, shown)
        else:
            await _show_refusal(client, claimed, shown)
    await end_unanswered(app, claimed, "skipped")


async def _show_refusal(
    client: TeamClient, claimed: ClaimedMessage, shown: Payload
) -> None:
    """Show a refusal to the message's author, below the message."""
    message = claimed.message
    in_thread = message.audience == DM or not message.opens_thread
    with unless_refused("show why there is no answer"):
        await show_privately(
            client,
            shown,
            channel=message.channel_id,
            user=message.user_id,
            thread_ts=message.thread_ts if in_thread else None,
        )


async def _post_refusal(
    client: TeamClient, claimed: ClaimedMessage, shown: Payload
) -> None:
    """Post a refusal in the message's thread, unless an earlier attempt did."""
    message = claimed.message
    metadata = notice_metadata(refused=str(claimed.id))
    since = None
    if claimed.attempts or claimed.failures:
        since = time.time()
    with unless_refused("show why there is no answer"):
        await post_once(
            client,
            message.channel_id,
            shown,
            metadata,
            thread_ts=message.thread_ts,
            since=since,
            confirm=claimed.run.confirm,
        )


async def tell_place_refused(app: App, claimed: ClaimedMessage) -> None:
    """Tell the author in their direct messages, once a day, that a conversation takes no answer."""
    message = claimed.message
    if message.audience == DM:
        return
    if not await may_tell(app.pool, message.person, message.ts, _DAY_SECONDS):
        return
    localizer = await app.people.localizer(message.person, message.text)
    shown = payload(localizer.say("place_refused", channel=f"<#{message.channel_id}>"))
    client = app.slack.client(message.team_id, patience=PATIENCE_SECONDS)
    with unless_refused("say that a conversation takes no answer"):
        await client.chat_postMessage(
            channel=message.user_id, metadata=notice_metadata(), **shown
        )


async def refuse_quota(
    app: App, claimed: ClaimedMessage, used_up: QuotaExceeded
) -> None:
    """Tell the author of a message beyond their limit when they may write again.

    Of very many messages in a moment Slack lets some be told; the others end without a word.
    """
    message = claimed.message
    localizer = await app.people.localizer(message.person, message.text)
    sentence = localizer.say(
        "limit_reached", limit=used_up.limit, until=used_up.until(localizer)
    )
    client = app.slack.client(message.team_id, patience=0.0)
    await _show_refusal(client, claimed, payload(sentence))
    await end_unanswered(app, claimed, "skipped")


async def reply_fixed(
    app: App,
    claimed: ClaimedMessage,
    key: str,
    *,
    outcome: Outcome | None = "failed",
    form_words: bool = False,
) -> None:
    """Reply with the sentence `key` of the catalogue instead of an answer, and end the turn.

    Without an `outcome` the turn does not end: the answer will replace the sentence.
    `form_words`: memories may be formed from the message.
    """
    message = claimed.message
    question = words = ""
    if form_words:
        question, words = await read_said(
            app.names, message.person, message.text, message.channel_id
        )
    turn = await begin_turn(app, claimed, question=question, words=words)
    async with open_sink(app, turn) as sink:
        localizer = await sink.localizer()
        await sink.finish(localizer.say(key))
    if outcome is not None:
        await end_turn(app, turn, outcome, reply=None)
