"""*What colleagues can see*: what a person shows to colleagues, and how a colleague asks for it.

A sentence gets onto the card when its owner clicks below that exact sentence, if the verdict does
not find it sensitive. It is removed with its message, and when it is no longer true. A colleague
sees it in a separate message: the replying model never reads it, so no stored answer repeats it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bot.access import admit, admit_question
from bot.app import App
from bot.locale import Localizer
from bot.people import person_refusal
from bot.slack.messages import slack_user
from bot.ui.blocks import Payload
from bot.ui.cards import MOST_LINES, card_payload
from memory import Memory, Person
from memory.model import folded
from memory.store import read_card

_MOST_NAMES = 5
_NAME_LIMIT = 200  # characters; Slack's names have at most 80
_MENTION = re.compile(r"<?@?([UW][A-Z0-9]{7,})>?")


# --- the owner ---------------------------------------------------------------------------------


async def blocked_reason(app: App, person: Person, memory: Memory, sentence: str) -> str | None:
    """Return the key of the reason why a sentence is not shown to colleagues; None if it may be."""
    await admit(app.pool, app.settings, person)
    sensitive = await app.former.is_sensitive(memory, sentence)
    return "card_sensitive" if sensitive else None


# --- a colleague -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Why no card is shown, for the model; `colleagues` are the names among which to choose."""

    reason: str
    colleagues: Sequence[str] = ()


_OUTSIDER = Unanswered(
    "Slack does not say that the person is a member of this workspace. Guests and people of other"
    " workspaces cannot ask about colleagues."
)
_TOO_MANY = Unanswered("That were enough questions about colleagues for this hour.")
_NOBODY = Unanswered(
    "No colleague of that name is known. Say so, and that a mention with @ finds a colleague for"
    " certain."
)
_WHICH_ONE = (
    "It is not certain who is meant. Ask the person which colleague they mean; a mention with @"
    " decides it."
)


class ColleagueQuestions:
    """The questions about colleagues in one message of `asker`.

    `mentioned` are the user ids in the message.
    """

    def __init__(self, app: App, asker: Person, mentioned: Collection[str]) -> None:
        self._app = app
        self._asker = asker
        self._mentioned = mentioned

    async def find(self, who: str) -> Person | Unanswered:
        """Count a question; return the colleague whom `who` names, by a mention or a whole name.

        Guests and people of other workspaces get no answer, and nobody can ask about them.
        """
        asker = self._asker
        members = self._app.members
        if not await members.is_member(asker):
            return _OUTSIDER
        if not await admit_question(self._app.pool, asker):
            return _TOO_MANY
        found = self._named(who)
        if isinstance(found, Unanswered):
            return found
        colleague = Person(asker.team_id, found)
        if not await members.is_member(colleague):
            return _NOBODY
        return colleague

    def _named(self, who: str) -> str | Unanswered:
        """Return the user id of the one person who can be meant; Slack is not asked.

        People choose their own names. A name identifies somebody only if it is their whole name and
        no other person's name contains it.
        """
        known = self._app.names.people_of(self._asker.team_id)
        mention = _MENTION.fullmatch(who.strip())
        if mention and mention[1] in self._mentioned:
            return mention[1]
        if mention:
            # The person did not mention this id: the model put it in place of a name.
            who = known.get(mention[1], "")
        wanted = _words(who)
        words = {user: _words(name) for user, name in known.items()}
        same = [user for user in known if words[user] == wanted]
        mentioned = [user for user in same if user in self._mentioned]
        if len(mentioned) == 1:
            return mentioned[0]
        fitting = [user for user in known if _fits(wanted, words[user])]
        if not fitting:
            return _NOBODY
        if fitting == same and len(same) == 1:
            return same[0]
        names = sorted({known[user] for user in fitting})
        return Unanswered(_WHICH_ONE, names[:_MOST_NAMES])


async def shown_card(app: App, asker: Person, owner: Person, localizer: Localizer) -> Payload:
    """Return a colleague's card for the asker."""
    settings = await app.people.settings(owner, keep_new=False)
    lines = []
    if settings.off(app.settings.consent) is None and not person_refusal(app.settings, owner):
        lines = await read_card(app.pool, asker, owner, most=MOST_LINES)
    return card_payload(localizer, slack_user(owner.user_id), lines)


def _words(name: str) -> list[str]:
    """Return the words of a name in the form in which they are compared."""
    return folded(name[:_NAME_LIMIT]).strip("@ ").split()


def _fits(wanted: Sequence[str], name: Sequence[str]) -> bool:
    """Return whether a name has all these words, or begins with them where it has no spaces."""
    if not wanted:
        return False
    begins = " ".join(name).startswith(" ".join(wanted))
    return begins or set(wanted) <= set(name)
