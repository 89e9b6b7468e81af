"""*What colleagues can see*: how a colleague asks for a person's card.

A sentence gets onto the card when its owner clicks below that exact sentence
(`bot.memories.clicks`), if the verdict does not find it sensitive. It is removed with its message,
and when it is no longer true. A colleague sees it in a separate message: the replying model never
reads it, so no stored answer repeats it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bot.access import person_refusal
from bot.app import App
from bot.locale import Localizer
from bot.ui.cards import MOST_LINES, card_line
from bot.ui.done import Done
from memory import Memory, Person
from memory.model import folded
from memory.store import read_card

_MOST_NAMES = 5
_NAME_LIMIT = 200  # characters; Slack's names have at most 80
_MENTION = re.compile(r"<?@?([UW][A-Z0-9]{7,})>?")


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Why no card is shown, for the model; `colleagues` are the names among which to choose."""

    reason: str
    colleagues: Sequence[str] = ()


_OUTSIDER = Unanswered(
    "Slack does not say that the person is a member of this workspace. Guests and people of other"
    " workspaces cannot ask about colleagues."
)
_NOBODY = Unanswered(
    "No colleague of that name is known. Say so, and that a mention with @ finds a colleague for"
    " certain."
)
_WHICH_ONE = (
    "It is not certain who is meant. Ask the person which colleague they mean; a mention with @"
    " decides it."
)


async def find_colleague(
    app: App, asker: Person, who: str, mentioned: Collection[str]
) -> Person | Unanswered:
    """Return the colleague whom `who` names, by a mention or a whole name.

    `mentioned` are the user ids in the asker's message. Guests and people of other workspaces get
    no answer, and nobody can ask about them.
    """
    if not await app.members.is_member(asker):
        return _OUTSIDER
    found = _named(app.names.people_of(asker.team_id), who, mentioned)
    if isinstance(found, Unanswered):
        return found
    colleague = Person(asker.team_id, found)
    if not await app.members.is_member(colleague):
        return _NOBODY
    return colleague


def _named(
    known: Mapping[str, str], who: str, mentioned: Collection[str]
) -> str | Unanswered:
    """Return the user id of the one person who can be meant; `known` are names by user id.

    People choose their own names. A name identifies somebody only if it is their whole name and no
    other person's name contains it.
    """
    mention = _MENTION.fullmatch(who.strip())
    if mention:
        user = mention[1]
        if user in mentioned:
            return user
        # The person did not mention this id: the model put it in place of a name.
        who = known.get(user, "")
    wanted = _words(who)
    words_of = {user: _words(name) for user, name in known.items()}
    fitting = [user for user, words in words_of.items() if _fits(wanted, words)]
    same = [user for user in fitting if words_of[user] == wanted]
    mentioned_same = [user for user in same if user in mentioned]
    if len(mentioned_same) == 1:
        return mentioned_same[0]
    if not fitting:
        return _NOBODY
    if fitting == same and len(same) == 1:
        return same[0]
    names = sorted({known[user] for user in fitting})
    return Unanswered(_WHICH_ONE, names[:_MOST_NAMES])


async def shown_card(
    app: App, asker: Person, owner: Person, localizer: Localizer
) -> Done:
    """Return a colleague's card for the asker."""
    settings = await app.people.settings(owner, keep_new=False)
    lines: Sequence[Memory] = ()
    is_off = settings.off(app.settings.consent) is not None
    if not is_off and not person_refusal(app.settings, owner):
        lines = await read_card(app.pool, asker, owner, most=MOST_LINES)
    return Done(line=card_line(localizer, owner, lines))


def _words(name: str) -> list[str]:
    """Return the words of a name in the form in which they are compared."""
    return folded(name[:_NAME_LIMIT]).strip("@ ").split()


def _fits(wanted: Sequence[str], name: Sequence[str]) -> bool:
    """Return whether a name has all these words, or begins with them where it has no spaces."""
    if not wanted:
        return False
    if " ".join(name).startswith(" ".join(wanted)):
        return True
    return set(wanted) <= set(name)
