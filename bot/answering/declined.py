"""Finds the memory that the model's provider declines; no model is shown it from then on."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from bot.answering.prompt import Prompt
from bot.answering.reply import ask_model
from bot.app import App
from bot.delivery.reply_sink import CollectedReply
from bot.models.failures import ReplyFailed
from bot.remembering.formation import Asked
from memory import FormationUnavailable, Memory, Person
from memory.postgres import person_transaction
from memory.recall import Recalled
from memory.store import leave_out, may_search, read_in_order

log = logging.getLogger(__name__)


_HALVINGS = 7
_QUESTION = "Say OK."


async def find_declined(
    app: App, team: str, user: str, keys: str, asked: Asked
) -> None:
    """Ask the model with one half of the memories `keys`, then of the declined half, and so on.

    At most eight requests are made, and for a person once a day. If what is left in the end is
    declined alone, it is left out from then on: one memory, or two of more than 128. The panel says
    so, and offers to forget it.
    """
    person = Person(team, user)
    async with person_transaction(app.pool, person) as transaction:
        if not await may_search(transaction):
            return
        suspects = await read_in_order(transaction, keys.split())
    try:
        for _ in range(_HALVINGS):
            middle = len(suspects) // 2
            first, second = suspects[:middle], suspects[middle:]
            if first:
                is_in_first = await _is_declined(app, person, first, asked)
                suspects = first if is_in_first else second
        if not suspects or not await _is_declined(app, person, suspects, asked):
            return
    except ReplyFailed as failed:
        log.info("a declined memory was not found: %s", failed.named)
        return
    except FormationUnavailable as failed:
        log.info("a declined memory was not found: %s", failed)
        return
    async with person_transaction(app.pool, person, locked=True) as transaction:
        await leave_out(transaction, [memory.key for memory in suspects])


async def _is_declined(
    app: App, person: Person, memories: Sequence[Memory], asked: Asked
) -> bool:
    """Return whether a request with these memories is declined.

    Raises other `ReplyFailed`, and `memory.FormationUnavailable`.
    """
    if asked == "formation":
        return await app.former.declines(person, memories)
    prompt = Prompt(
        question=_QUESTION,
        user_id=person.user_id,
        recalled=Recalled(always=tuple(memories)),
    )
    sink = CollectedReply(_QUESTION)
    try:
        await ask_model(app.model, person, prompt, sink, None, may_search=False)
    except ReplyFailed as failed:
        if failed.cause != "model_policy":
            raise
        return True
    return False
