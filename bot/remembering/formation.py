"""Formation jobs, which run once the person has paused, one at a time for each audience."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias
from uuid import UUID

from psycopg.rows import DictRow

from bot.app import App
from bot.conversation.audiences import view_of_audience
from bot.conversation.turns import final_question, form_after
from bot.logs import log_fields
from bot.notices.notices import add_notice, tell_unread_later
from bot.people import PersonSettings, read_settings
from bot.queue.queue import BACKGROUND
from bot.queue.retries import RunLater
from bot.slack.names import FAILED_SECONDS, has_marks
from memory import (
    DM,
    FormationResult,
    FormationUnavailable,
    Memory,
    MemoryModelRefused,
    MemoryView,
    Namespace,
    Overtaken,
    Person,
    PersonMessage,
    Pool,
)
from memory.metrics import count
from memory.model import WordsUnreadable
from memory.postgres import (
    PersonTransaction,
    load_statements,
    person_statement,
    person_transaction,
)
from memory.store import delete_set_aside, embed_missing, read_epoch

log = logging.getLogger(__name__)

_SQL = load_statements("bot.remembering", "formation")
Asked: TypeAlias = Literal["reply", "formation"]
"""For what the model was asked, which is asked again."""
FIND_DECLINED = "find_declined"
MAX_DELAY_FACTOR = 15
"""The longest wait for a pause, as a multiple of the seconds of quiet."""
_UNCHANGED_FACTOR = 2
# A wait that is not worth another run of the job.
_SOON_SECONDS = 0.5
# Words wait no longer for replies: a model that serves one request at a time might never be free.
_LONGEST_WAIT_SECONDS = 60.0
MAX_FAILURES = 3
"""After so many jobs, within some 84 seconds, words that the model fails with are passed over."""
_FAILURE_BASE = 4  # seconds to the power of the failures
MAX_CHARACTERS = 12_000  # of the words that are formed at once
_TURNS_AT_ONCE = 20

FormationOutcome: TypeAlias = Literal[
    "changed", "unchanged", "model_refused", "unavailable"
]
"""The outcomes of ``kioku_formations_total``; after the last two the words stay waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unformed:
    """A person's settings, and the ids and words of turns, from which memories are to be formed.

    `epoch` is the person's, as they were read. `has_more`: there were later words, too.
    """

    settings: PersonSettings
    ids: Sequence[UUID]
    words: Sequence[PersonMessage]
    epoch: int
    has_more: bool


async def form_memories(
    app: App, team: str, user: str, audience: str, failures: str = "0"
) -> None:
    """Form memories from the words of the person that are not formed yet.

    While the person still writes, another job does it later, after at most `MAX_DELAY_FACTOR` times
    the seconds of quiet, and while they edit, forget or switch, after twice these seconds without
    that; replies of this process that wait for a model go first. Nothing is formed while the person
    has memory switched off, if they want to be remembered only when they ask, or with
    KIOKU_FORMATION=off.
    While Slack does not say a name in the words, they wait: raises `bot.queue.retries.RunLater`.
    Words that the model cannot read, although it answers others, are skipped, and the person is
    told: at once if it refuses them, else after `MAX_FAILURES` jobs, which `failures` counts.
    Raises `memory.FormationUnavailable` or `memory.EmbeddingsUnavailable` while a model is
    unavailable, or refuses every request: the words, or memories without vectors, stay, and the
    job is tried again.
    """
    namespace = Person(team, user).namespace(audience)
    person = namespace.person
    values = {"audience": namespace.audience}
    has_more = app.settings.formation != "off"
    while has_more:
        [pause] = await person_statement(app.pool, person, _SQL["pause"], values)
        if pause["waited"] is None:
            break
        wait = _seconds_to_wait(app, pause)
        if wait > _SOON_SECONDS:
            # A new job: the attempts of this one would count as failures, and the next one wait
            # longer.
            async with person_transaction(app.pool, person) as transaction:
                await form_after(app, transaction, audience, wait)
            return
        # While it waits, this job takes one of the worker's places, and others may wait for one. So
        # the time that its words have waited already is taken off.
        longest = _LONGEST_WAIT_SECONDS - pause["waited"]
        await app.pending_replies.wait_until_none(longest)
        view = await view_of_audience(app, namespace)
        failed = int(failures)
        try:
            has_more = await _form_oldest(app, view, passes_over=failed >= MAX_FAILURES)
        except WordsUnreadable:
            wait = float(_FAILURE_BASE ** (failed + 1))
            async with person_transaction(app.pool, person) as transaction:
                await form_after(app, transaction, audience, wait, failures=failed + 1)
            return
    # Memories that an outage, a crash after the commit, or the Undo of a forgetting left without a
    # vector.
    await embed_missing(app.pool, app.embedder, person)


def _seconds_to_wait(app: App, pause: DictRow) -> float:
    """Return how long formation waits for a pause of the person; 0 or less if not at all."""
    if app.settings.formation == "hot":
        return 0.0
    delay = app.settings.formation_delay
    until_quiet: float = delay - pause["paused"]
    until_due: float = delay * MAX_DELAY_FACTOR - pause["waited"]
    wait = min(until_quiet, until_due)
    if pause["unchanged"] is not None:
        # What is asked while the person changes what may be stored is asked in vain.
        wait = max(wait, delay * _UNCHANGED_FACTOR - pause["unchanged"])
    return wait


async def _form_oldest(app: App, view: MemoryView, *, passes_over: bool) -> bool:
    """Form memories from the oldest words; return whether there may be more to do now.

    Raises `memory.WordsUnreadable` unless the job `passes_over` what the model fails with.
    """
    person = view.own.person
    unformed = await read_unformed(app.pool, view.own)
    if unformed.settings.off(app.settings.consent) or not unformed.ids:
        return False
    if unformed.settings.eagerness == "asked":
        async with person_transaction(app.pool, person) as transaction:
            await mark_formed(transaction, unformed)
        return unformed.has_more
    if any(has_marks(one.text) for one in unformed.words):
        await _name_words(app, person, unformed)
        return True
    turn = unformed.ids[-1]

    async def in_commit(
        transaction: PersonTransaction, formed: FormationResult
    ) -> None:
        await mark_formed(transaction, unformed)
        await add_notice(app, transaction, turn, formed)
        if any(refusal.reason == "unreadable" for refusal in formed.refused):
            await tell_unread_later(app, transaction, turn)

    with log_fields(team=person.team_id, turn=str(turn)):
        try:
            formed = await app.former.form(
                view,
                unformed.words,
                batch=turn,
                epoch=unformed.epoch,
                in_commit=in_commit,
                eager=unformed.settings.eagerness == "lot",
                passes_over=passes_over,
            )
        except Overtaken:
            return True
        except MemoryModelRefused as refused:
            _count("model_refused")
            app.slack.warnings.report("memory model", str(refused))
            raise
        except FormationUnavailable:
            _count("unavailable")
            raise
        app.slack.warnings.clear("memory model")
        if formed.declined:
            await find_declined_later(app, person, formed.declined, asked="formation")
        _report(formed, len(unformed.words))
    # What was said since has a job of its own.
    return unformed.has_more


async def _name_words(app: App, person: Person, unformed: Unformed) -> None:
    """Store words with the names that Slack had not said when they were stored.

    Raises `RunLater` if Slack does not say all of them now.
    """
    await app.names.look_up(person, [one.text for one in unformed.words])
    texts = [app.names.named(one.text, one.channel) for one in unformed.words]
    values = {
        "ids": list(unformed.ids),
        "words": [one.text for one in unformed.words],
        "named": texts,
    }
    await person_statement(app.pool, person, _SQL["name_words"], values)
    if any(map(has_marks, texts)):
        log.info("words wait for names that Slack does not say just now")
        raise RunLater(FAILED_SECONDS)


async def read_unformed(pool: Pool, namespace: Namespace) -> Unformed:
    """Return a person's settings, and the ids and words of their oldest unformed turns.

    They are ended turns of the namespace's audience, in order, at most `_TURNS_AT_ONCE`, and none
    after the one whose words reach `MAX_CHARACTERS`, because a model's context is limited.
    """
    person = namespace.person
    values = {
        "dm": DM,
        "audience": namespace.audience,
        "most": _TURNS_AT_ONCE + 1,
    }
    epoch = await read_epoch(pool, person)
    async with person_transaction(pool, person) as transaction:
        settings = await read_settings(transaction)
        turns = await transaction.fetch(_SQL["unformed"], values)
    ids: list[UUID] = []
    words: list[PersonMessage] = []
    characters = 0
    for turn in turns[:_TURNS_AT_ONCE]:
        if characters >= MAX_CHARACTERS:
            break
        characters += len(turn["words"])
        ids.append(turn["id"])
        words.append(
            PersonMessage(
                text=turn["words"],
                channel=turn["channel_id"],
                ts=turn["ts"],
                removal_proposed=turn["removal_proposed"],
                reply_to=final_question(turn["before"] or ""),
                # "Until Friday" means Friday where they are.
                zone=settings.zone,
            )
        )
    return Unformed(
        settings=settings,
        ids=ids,
        words=words,
        epoch=epoch,
        has_more=len(ids) < len(turns),
    )


async def mark_formed(transaction: PersonTransaction, unformed: Unformed) -> None:
    """Record that memories were formed from these turns, also where a message was edited.

    Raises `Overtaken` if the words of one have been formed or deleted meanwhile.
    """
    marked = await transaction.execute(_SQL["mark_formed"], {"ids": [*unformed.ids]})
    if marked.rowcount != len(unformed.ids):
        raise Overtaken("Some of the words were formed or deleted meanwhile.")
    messages = [(one.channel, one.ts) for one in unformed.words]
    await delete_set_aside(transaction, messages)


def _count(outcome: FormationOutcome) -> None:
    count("formations", outcome=outcome)


def _report(formed: FormationResult, messages: int) -> None:
    """Count and log the results of a formation."""
    _count("changed" if formed.changes else "unchanged")
    for change in formed.changes:
        count("proposals", outcome=change.action)
    for refusal in formed.refused:
        count("proposals", outcome=refusal.reason)
    count("proposals", len(formed.questions), outcome="asked")
    log.info(
        "formed memories from %d message(s): %d change(s), %d refused",
        messages,
        len(formed.changes),
        len(formed.refused),
    )


async def find_declined_later(
    app: App, person: Person, memories: Sequence[Memory], *, asked: Asked
) -> None:
    """Look for the memory for which a request with these memories was declined, in a job."""
    keys = " ".join(memory.key for memory in memories)
    lock = f"{FIND_DECLINED}:{person.prefix}"
    jobs = {lock: {**person.ids, "keys": keys, "asked": asked}}
    await app.queue.defer(app.pool, FIND_DECLINED, jobs, queue=BACKGROUND)
