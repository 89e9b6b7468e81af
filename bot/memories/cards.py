"""*How to work with me*: what a person shows to colleagues, and how a colleague asks for it.

A line gets onto the card by its owner's click or form only, after the verdict on it says that it
is not sensitive. A colleague sees the owner's own sentence in a message of its own: the model that
answers never reads it, so no stored answer repeats it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, LiteralString

from bot.app import App
from bot.slack.client import SLACK_FAULTS, error_code
from bot.slack.messages import slack_user
from bot.ui.blocks import Payload
from bot.ui.cards import MOST_LINES, card_payload, colleague_name, no_card, sentence_of
from bot.ui.panel import Done
from bot.ui.reader import Reader
from memory import (
    COLLEAGUES,
    DM,
    ChangedSince,
    ChangeGone,
    EmbeddingsUnavailable,
    FormationUnavailable,
    InvalidContent,
    MemoryFull,
    Person,
    UserFact,
    add_memories,
    list_changes,
    move_memory,
)
from memory.postgres import execute_statement, person_statement
from memory.store import MAX_MEMORIES, find_memory, read_card

log = logging.getLogger(__name__)

QUESTIONS_AN_HOUR = 20
_MOST_OWNERS = 200
_OWNERS: LiteralString = "SELECT * FROM card_owners(%s, %s)"
_ASKED: LiteralString = (
    "INSERT INTO card_uses AS one (team_id, user_id, hour, asked)"
    " VALUES (%(team)s, %(user)s, date_trunc('hour', now()), 1)"
    " ON CONFLICT (team_id, user_id, hour) DO UPDATE SET asked = one.asked + 1"
    " WHERE one.asked < %(most)s RETURNING asked"
)
_USED: LiteralString = (
    "INSERT INTO card_uses AS one (team_id, user_id, hour, used)"
    " VALUES (%(team)s, %(user)s, date_trunc('hour', now()), 1)"
    " ON CONFLICT (team_id, user_id, hour) DO UPDATE SET used = one.used + 1"
)
_USES: LiteralString = (
    "SELECT COALESCE(sum(used), 0)::int AS used FROM card_uses"
    " WHERE team_id = %(team)s AND user_id = %(user)s"
)


# --- the owner ---------------------------------------------------------------------------------


async def show_to_colleagues(app: App, person: Person, reader: Reader, key: str) -> Done:
    """Move a memory to the card, unless it is sensitive."""
    memory = await find_memory(app.pool, person, key)
    if memory is None:
        return Done(line=reader.say("memory_gone"))
    sentence = sentence_of(memory)
    if not sentence:
        return Done(line=reader.say("card_no_sentence"))
    await app.quotas.admit(person)
    try:
        [sensitive] = await app.former.are_sensitive([(memory.kind, memory.content, sentence)])
    except FormationUnavailable:
        return Done(line=reader.say("command_failed"), beside=True)
    if sensitive:
        return Done(line=reader.say("card_sensitive"), beside=True)
    return await _moved(app, person, reader, key, COLLEAGUES)


async def hide_from_colleagues(app: App, person: Person, reader: Reader, key: str) -> Done:
    """Take a memory off the card: it is used again where it was before, else in the DM."""
    changes = await list_changes(app.pool, person, key=key)
    before = [one.moved_from for one in changes if one.moved_from is not None]
    audiences = [one.audience for one in before if one.audience != COLLEAGUES]
    return await _moved(app, person, reader, key, audiences[0] if audiences else DM)


async def _moved(app: App, person: Person, reader: Reader, key: str, audience: str) -> Done:
    try:
        change = await move_memory(app.pool, app.embedder, person, key, audience, actor="command")
    except ChangeGone:
        return Done(line=reader.say("memory_gone"))
    except ChangedSince:
        return Done(line=reader.say("audience_same"))
    except EmbeddingsUnavailable:
        return Done(line=reader.say("command_failed"), beside=True)
    log.info("a person changed what colleagues see")
    line = reader.say("card_shown" if audience == COLLEAGUES else "card_hidden")
    return Done(line=line, undo=f"change {change.id}")


async def add_answers(app: App, person: Person, reader: Reader, answers: Mapping[str, str]) -> Done:
    """Put a person's answers to the questions of the form onto their card."""
    if not answers:
        return Done(line=reader.say("nothing_changed"))
    kind = UserFact.__name__
    topics = {name: reader.say(f"card_{name}") for name in answers}
    contents = {name: {"fact": answers[name], "topic": topics[name]} for name in answers}
    await app.quotas.admit(person)
    try:
        sensitive = await app.former.are_sensitive(
            [(kind, contents[name], answers[name]) for name in answers]
        )
        refused = {name for name, one in zip(answers, sensitive, strict=True) if one}
        given = [
            (contents[name], {"kind": "modal", "evidence": answers[name]})
            for name in answers
            if name not in refused
        ]
        card = person.namespace(COLLEAGUES)
        made = await add_memories(app.pool, app.embedder, card, kind, given) if given else []
    except (EmbeddingsUnavailable, FormationUnavailable, InvalidContent):
        return Done(line=reader.say("command_failed"))
    except MemoryFull:
        return Done(line=reader.say("refused_full", limit=MAX_MEMORIES))
    lines = [reader.say("card_added", count=len(made))] if made else []
    why = reader.say("card_sensitive")
    lines += [reader.say("add_left", what=topics[name], why=why) for name in refused]
    ids = " ".join(str(one.id) for one in made)
    return Done(line="\n".join(lines), undo=f"change {ids}" if made else None)


async def preview(app: App, person: Person, reader: Reader) -> Payload:
    """Return what a colleague sees of the person's own card."""
    name = await _name(app, person, slack_user(person.user_id))
    lines = await read_card(app.pool, person, person, most=MOST_LINES)
    return card_payload(reader, name, lines) if lines else no_card(reader, name)


async def times_used(app: App, person: Person) -> int:
    """Return how often colleagues have seen the person's card in the last thirty days."""
    [row] = await person_statement(app.pool, person, _USES, person.ids)
    return int(row["used"])


# --- a colleague -------------------------------------------------------------------------------


class NotAllowed(Exception):
    """The question is not answered; the text is for the model."""


async def ask_about(app: App, asker: Person, who: str) -> tuple[Person, str]:
    """Return the colleague that `who` names, by a mention or a name, and their name.

    Counts the question. Raises `NotAllowed` for guests, people of other workspaces, names that
    nobody or several with a card have, and after `QUESTIONS_AN_HOUR`.
    """
    if not await _is_member(app, asker, slack_user(asker.user_id)):
        raise NotAllowed("Guests and people of other workspaces cannot ask about colleagues.")
    values = {**asker.ids, "most": QUESTIONS_AN_HOUR}
    if not await person_statement(app.pool, asker, _ASKED, values):
        raise NotAllowed("That were enough questions about colleagues for this hour.")
    wanted = who.strip().lstrip("@<").rstrip(">").casefold()
    if wanted.upper().startswith(("U", "W")) and wanted.isalnum() and len(wanted) > 7:
        owners = [wanted.upper()]
    else:
        rows = await execute_statement(app.pool, _OWNERS, (asker.team_id, _MOST_OWNERS))
        owners = [row["user_id"] for row in rows]
    found = {}
    for owner in owners:
        user = await _user(app, asker, owner)
        if user and (owner.casefold() == wanted or wanted in _names(user)):
            found[owner] = user
    if len(found) > 1:
        raise NotAllowed("Several colleagues have that name: ask the person to mention one with @.")
    if not found:
        raise NotAllowed(
            "No colleague of that name has told anything to share. Say so, and that a mention with"
            " @ finds a colleague for certain."
        )
    [(owner, user)] = found.items()
    return Person(asker.team_id, owner), colleague_name(user)


async def shown_card(app: App, asker: Person, owner: Person, name: str, reader: Reader) -> Payload:
    """Return a colleague's card for the asker, and count its use."""
    settings = await app.people.settings(owner)
    lines = []
    if settings.off(app.settings.consent) is None and not app.policy.refuses_person(owner):
        lines = await read_card(app.pool, asker, owner, most=MOST_LINES)
    if not lines:
        return no_card(reader, name)
    if owner != asker:
        await person_statement(app.pool, owner, _USED, owner.ids)
    return card_payload(reader, name, lines)


async def _is_member(app: App, person: Person, user_id: str) -> bool:
    user = await _user(app, person, user_id)
    return bool(user) and "-" not in person.user_id


async def _name(app: App, person: Person, user_id: str) -> str:
    return colleague_name(await _user(app, person, user_id) or {"name": f"<@{user_id}>"})


async def _user(app: App, person: Person, user_id: str) -> Mapping[str, Any] | None:
    """Return Slack's user object of a member of the workspace; None for anybody else."""
    try:
        answer = await app.slack.client(person.team_id).users_info(user=user_id)
    except SLACK_FAULTS as error:
        log.info("a colleague could not be looked up: %s", error_code(error))
        return None
    user: Mapping[str, Any] = answer.get("user") or {}
    outside = user.get("team_id") not in (None, person.team_id) and not user.get("enterprise_user")
    guest = user.get("is_restricted") or user.get("is_ultra_restricted") or user.get("is_stranger")
    return None if outside or guest or user.get("deleted") or user.get("is_bot") else user


def _names(user: Mapping[str, Any]) -> set[str]:
    profile = user.get("profile") or {}
    names = (user.get("name"), user.get("real_name"), profile.get("display_name"))
    whole = {str(one).casefold() for one in names if one}
    return whole | {one.split()[0] for one in whole if one.split()}
