"""*Keep for This Channel* and *Keep as Decision*: a message is kept by a click of its author alone.

The author uses the shortcut, or clicks below a question that shows the very words. Somebody else's
shortcut brings that question, the author's own request to the app (`bot.acts.phrases`), or an
edit of a message that was kept. The words are read from Slack at that moment, and judged before.
"""

from __future__ import annotations

import html
import logging

from bot.access import admit, person_refusal, refusal_in
from bot.acts.blocks import Payload
from bot.acts.kinds import Keep, Place, Position, TakeBack
from bot.acts.lines import refusal_line
from bot.acts.phrases import Request, heard
from bot.acts.receipt import Click, NotDone, Receipt
from bot.app import App
from bot.conversation.audiences import look_up_kind
from bot.kept.blocks import WORDS_LIMIT, Asking, author_question
from bot.kept.lines import add_post, end_lines
from bot.queue.queue import BACKGROUND
from bot.remembering.adding import check_may_store, words_typed
from bot.slack.client import (
    PATIENCE_SECONDS,
    SLACK_FAULTS,
    error_code,
    find_message,
    unless_refused,
)
from bot.slack.messages import Message
from memory import PUBLIC, Person, PersonMessage, Refusal
from memory.formation import judge_kept
from memory.model import Json, estimated_tokens, normalized
from memory.postgres import PersonTransaction, person_transaction
from memory.store import (
    KEPT_BY_PERSON,
    KEPT_IN_CONVERSATION,
    KEPT_TOKENS,
    KeptLine,
    NewLine,
    count_kept,
    find_kept,
    keep,
    kept_settings,
)

log = logging.getLogger(__name__)

ASK_AGAIN = "ask_to_keep_again"
# These verdicts have sentences of their own, because nothing is remembered about the person.
_REASONS = {
    "not_asserted": "kept_refused_open",
    "other_person": "kept_refused_other",
    "sensitive": "kept_refused_sensitive",
}


def words_to_keep(words: str) -> str:
    """Return what is kept of a message: all of it but the request to keep it."""
    request = heard(words)
    if request is None or request.what not in ("keep", "decision"):
        return words
    return request.words


def _not_kept(click: Click, key: str, **values: object) -> NotDone:
    """Return a sentence of the catalogues as the reason why nothing is kept."""
    return NotDone(click.localizer.say(key, **values))


def is_listed(wanted: Position, place: Place) -> bool:
    """Return whether the clicked panel lists what is kept for the same conversation.

    It was opened by a command there, so the person has been in it.
    """
    shown = place.position
    return shown is not None and (shown.list, shown.of) == ("kept", wanted.of)


# --- what asks the author ----------------------------------------------------------------------


async def keep_message(
    app: App, click: Click, message: Json, *, decision: bool
) -> Receipt:
    """Keep the message that a shortcut was used on, or ask its author. Raises `NotDone`."""
    ts = str(message["ts"])
    wanted = Keep(
        channel=click.place.channel,
        ts=ts,
        thread_ts=str(message.get("thread_ts") or ts),
        decision=decision,
    )
    found = await _find(app, click, wanted)
    author = Person(click.person.team_id, str(found.get("user") or ""))
    words = await words_typed(app, click.person, wanted.channel, found)
    wanted = wanted.model_copy(update={"text": words_to_keep(words)})
    if author == click.person:
        return await _keep(app, click, wanted)
    if await find_kept(app.pool, author.team_id, wanted.channel, ts):
        raise _not_kept(click, "kept_already")
    if not await _ask(app, author, wanted, by=click.person):
        raise _not_kept(click, "kept_cannot_ask")
    return click.say("kept_asked")


async def propose_to_keep(
    app: App, click: Click, message: Message, request: Request
) -> Payload:
    """Return the question whether to keep what a message to the app asks for. Raises `NotDone`."""
    if not request.words:
        raise _not_kept(click, "kept_how")
    await _check_place(app, click, message.channel_id)
    _check_length(click, request.words)
    wanted = Keep(
        channel=message.channel_id,
        ts=message.ts,
        thread_ts=message.thread_ts,
        text=request.words,
        decision=request.what == "decision",
    )
    return author_question(click.localizer, wanted, "own")


async def follow_edit(
    app: App, transaction: PersonTransaction, line: KeptLine, words: str
) -> None:
    """End the line of a message that says something else now; ask its author about `words` later.

    Only white space may differ.
    """
    now = normalized(words_to_keep(words)).split()
    if now == normalized(line.text).split():
        return
    await end_lines(app.queue, transaction, line.id)
    arguments = {
        **transaction.person.ids,
        "channel": line.channel_id,
        "ts": line.ts,
        "thread_ts": line.thread_ts,
        "decision": "yes" if line.decision else "",
    }
    jobs = {f"{ASK_AGAIN}:{line.id}": arguments}
    await app.queue.defer(transaction.connection, ASK_AGAIN, jobs, queue=BACKGROUND)


async def ask_again(
    app: App,
    team: str,
    user: str,
    channel: str,
    ts: str,
    thread_ts: str,
    decision: str,
) -> None:
    """Ask the author of an edited message whether its new words are kept; run as a job."""
    person = Person(team, user)
    client = app.slack.client(team, patience=PATIENCE_SECONDS)
    found = None
    with unless_refused("show a message that was kept"):
        found = await find_message(client, channel, thread_ts, ts)
    if found is None:
        return
    words = words_to_keep(await words_typed(app, person, channel, found))
    wanted = Keep(
        channel=channel,
        ts=ts,
        thread_ts=thread_ts,
        text=words,
        decision=bool(decision),
    )
    await _ask(app, person, wanted)


async def _ask(
    app: App, author: Person, wanted: Keep, *, by: Person | None = None
) -> bool:
    """Ask the author of a message, privately, whether to keep its words; False if that cannot be.

    `by`: somebody else wants it; else the author has edited it.
    """
    settings = await app.people.settings(author, keep_new=False)
    is_off = settings.off(app.settings.consent) is not None
    if is_off or not wanted.text or person_refusal(app.settings, author):
        return False
    if _is_long(wanted.text) or not await app.members.is_member(author):
        return False
    why: Asking = "other" if by else "edited"
    question = author_question(settings.localizer(), wanted, why, by)
    client = app.slack.client(author.team_id)
    try:
        await client.chat_postEphemeral(
            channel=wanted.channel, user=author.user_id, **question
        )
    except SLACK_FAULTS as error:
        log.info("the author of a message could not be asked: %s", error_code(error))
        return False
    return True


# --- the author's click ------------------------------------------------------------------------


async def answer_to_keep(app: App, click: Click, wanted: Keep) -> Receipt:
    """Keep a message as its author, who was asked, or do not. Raises `NotDone`."""
    if wanted.to == "not":
        return click.say("kept_not")
    await _find_unchanged(app, click, wanted)
    return await _keep(app, click, wanted)


async def _find_unchanged(app: App, click: Click, wanted: Keep) -> None:
    """Raise `NotDone` unless the person's message has these words in Slack now."""
    found = await _find(app, click, wanted)
    if found.get("user") != click.person.user_id:
        raise _not_kept(click, "kept_not_yours")
    words = await words_typed(app, click.person, wanted.channel, found)
    if words_to_keep(words) != wanted.text:
        raise _not_kept(click, "changed_meanwhile")


async def _find(app: App, click: Click, wanted: Keep) -> Json:
    """Return the message as Slack has it now. Raises `NotDone`."""
    await _check_place(app, click, wanted.channel)
    client = app.slack.client(click.person.team_id)
    try:
        found = await find_message(client, wanted.channel, wanted.thread_ts, wanted.ts)
    except SLACK_FAULTS as error:
        log.info("a message to keep could not be read: %s", error_code(error))
        found = None
    if found is None or found.get("bot_id"):
        raise _not_kept(click, "kept_unread")
    return found


async def _check_place(app: App, click: Click, channel: str) -> None:
    """Raise `NotDone` if nothing can be kept for a conversation.

    Nothing is kept in direct messages and in conversations that are shared with another
    organisation, excluded by the operator or of uncertain kind.
    """
    person = click.person
    try:
        kind = await look_up_kind(app, person.team_id, channel)
    except SLACK_FAULTS as error:
        log.info("the kind of a conversation is not known: %s", error_code(error))
        raise _not_kept(click, "kept_place") from error
    if kind.shared:
        raise _not_kept(click, "shared_channel")
    if kind.audience not in (PUBLIC, channel):
        raise _not_kept(click, "kept_place")
    if refused := refusal_in(app.settings, person, channel, kind.audience):
        raise _not_kept(click, refused)


def _is_long(words: str) -> bool:
    """Return whether words are too long to be kept, or to be shown whole in a question."""
    shown = html.escape(words, quote=False)
    return estimated_tokens(words) > KEPT_TOKENS or len(shown) > WORDS_LIMIT


def _check_length(click: Click, words: str) -> None:
    """Raise `NotDone` for words that are too long."""
    if _is_long(words):
        raise _not_kept(click, "kept_long")


async def _keep(app: App, click: Click, wanted: Keep) -> Receipt:
    """Judge the words of the person's message, and keep them. Raises `NotDone`."""
    person = click.person
    if not await app.members.is_member(person):
        raise _not_kept(click, "kept_members_only")
    _check_length(click, wanted.text)
    epoch = await admit(app.pool, app.settings, person)
    await check_may_store(app, click, wanted.channel, wanted.ts)
    text = await _judge(app, click, wanted)
    # The channel may have been shared, and the message edited, since it was read.
    await _find_unchanged(app, click, wanted)
    line = NewLine(
        channel=wanted.channel,
        ts=wanted.ts,
        thread_ts=wanted.thread_ts or wanted.ts,
        text=text,
        decision=wanted.decision,
    )
    await _store(app, click, line, epoch)
    done = click.localizer.say("kept_done", channel=f"<#{wanted.channel}>")
    return Receipt(line=done)


async def _judge(app: App, click: Click, wanted: Keep) -> str:
    """Return the words as they are kept. Raises `NotDone`."""
    message = PersonMessage(
        text=wanted.text,
        channel=wanted.channel,
        ts=wanted.ts,
        actor="command",
        zone=click.localizer.zone,
    )
    judged = await judge_kept(
        app.former, click.person, message, decision=wanted.decision
    )
    if isinstance(judged, Refusal):
        if key := _REASONS.get(judged.reason):
            raise _not_kept(click, key)
        raise NotDone(refusal_line(click.localizer, judged.reason, judged.sentence))
    return judged.text


async def _store(app: App, click: Click, line: NewLine, epoch: int) -> None:
    """Keep a line, with its post in the thread. Raises `NotDone` and `memory.Overtaken`."""
    person = click.person
    scope = kept_settings(person.team_id, line.channel)
    async with person_transaction(
        app.pool, person, epoch=epoch, scope=scope
    ) as of_person:
        count = await count_kept(of_person, line.channel)
        if count["own"] >= KEPT_BY_PERSON:
            raise _not_kept(click, "kept_full_own", limit=KEPT_BY_PERSON)
        if count["here"] >= KEPT_IN_CONVERSATION:
            raise _not_kept(click, "kept_full", limit=KEPT_IN_CONVERSATION)
        kept = await keep(of_person, line)
        if kept is None:
            raise _not_kept(click, "kept_already")
        await add_post(app.queue, of_person, kept, line)


async def take_back(app: App, click: Click, act: TakeBack) -> Receipt:
    """End one of the person's lines: it disappears for everybody. Raises `NotDone`."""
    async with person_transaction(app.pool, click.person, locked=True) as of_person:
        ended = await end_lines(app.queue, of_person, act.id)
    if not ended:
        raise _not_kept(click, "kept_not_yours")
    channel = f"<#{ended[0].channel_id}>"
    line = click.localizer.say("kept_taken_back", channel=channel)
    return Receipt(line=line)
