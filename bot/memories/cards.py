"""*How to work with me*: what a person shows to colleagues, and how a colleague asks for it.

A sentence gets onto the card by its owner's click below that very sentence, after the verdict on it
says that it is not sensitive. It goes with its message, and when it is not true any more. A colleague
sees it in a message of its own: the model that answers never reads it, so no stored answer repeats
it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, LiteralString

from bot.access import admit
from bot.app import App
from bot.locale import Reader
from bot.people import person_refusal
from bot.slack.client import SLACK_FAULTS, error_code
from bot.slack.messages import slack_user
from bot.ui.blocks import Payload
from bot.ui.cards import MOST_LINES, card_payload
from memory import Memory, Person
from memory.postgres import execute_statement, person_statement
from memory.store import read_card

log = logging.getLogger(__name__)

QUESTIONS_AN_HOUR = 20
_MOST_OWNERS = 200
_OWNERS: LiteralString = "SELECT * FROM card_owners(%s, %s)"
_COUNT: LiteralString = (
    "INSERT INTO person_requests AS one (team_id, user_id, hour, colleague_questions)"
    " VALUES (%(team)s, %(user)s, date_trunc('hour', now()), 1)"
    " ON CONFLICT (team_id, user_id, hour) DO UPDATE"
    " SET colleague_questions = one.colleague_questions + 1"
    " WHERE one.colleague_questions < %(most)s RETURNING 1"
)


# --- the owner ---------------------------------------------------------------------------------


async def why_not_shown(app: App, person: Person, memory: Memory, sentence: str) -> str | None:
    """Return the key of the reason why a sentence is not shown to colleagues; None if it may be."""
    await admit(app.pool, app.settings, person)
    sensitive = await app.former.is_sensitive(memory, sentence)
    return "card_sensitive" if sensitive else None


# --- a colleague -------------------------------------------------------------------------------


async def ask_about(app: App, asker: Person, who: str) -> Person | str:
    """Count a question; return the colleague that `who` names, by a mention or a name.

    Or why there is no answer, for the model: to guests, people of other workspaces, about a name
    that nobody or several with a card have, and after `QUESTIONS_AN_HOUR`.
    """
    if "-" in asker.user_id or not await _user(app, asker, asker.user_id):
        return "Guests and people of other workspaces cannot ask about colleagues."
    values = {**asker.ids, "most": QUESTIONS_AN_HOUR}
    if not await person_statement(app.pool, asker, _COUNT, values):
        return "That were enough questions about colleagues for this hour."
    wanted = who.strip().lstrip("@<").rstrip(">").casefold()
    if wanted.upper().startswith(("U", "W")) and wanted.isalnum() and len(wanted) > 7:
        owners = [wanted.upper()]
    else:
        rows = await execute_statement(app.pool, _OWNERS, (asker.team_id, _MOST_OWNERS))
        owners = [row["user_id"] for row in rows]
    found = []
    for owner in owners:
        user = await _user(app, asker, owner)
        if user and (owner.casefold() == wanted or wanted in _names(user)):
            found.append(owner)
    if len(found) > 1:
        return "Several colleagues have that name: ask the person to mention one with @."
    if not found:
        return (
            "No colleague of that name has told anything to share. Say so, and that a mention with"
            " @ finds a colleague for certain."
        )
    return Person(asker.team_id, found[0])


async def shown_card(app: App, asker: Person, owner: Person, reader: Reader) -> Payload:
    """Return a colleague's card for the asker."""
    settings = await app.people.settings(owner)
    lines = []
    if settings.off(app.settings.consent) is None and not person_refusal(app.settings, owner):
        lines = await read_card(app.pool, asker, owner, most=MOST_LINES)
    return card_payload(reader, slack_user(owner.user_id), lines)


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
