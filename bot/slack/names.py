"""Names of people and channels, in the place of Slack's ids in everything that is read.

`bot.slack.reading` puts a mark for each id into a text: the id between two characters of private
use, which are removed from what people type. Then the name takes its place: ``@Mia Tanaka``,
``#general``. A text with a name stays as it is when somebody is renamed.

Names are Slack's, from ``users.info`` and ``conversations.info``, kept in this process for an hour.
A name is data that its owner chose, so `clean_name` removes markup, addresses and
line ends from it, and where this process knows two people of one name, each has their handle behind
it: ``@Alex Kim (akim)``. That is Slack's ``name``, which other members of a workspace do not have.

The name of a private conversation is shown only in that conversation, because readers elsewhere may
not be its members. Groups have names only if Slack sends one with the message; to look them up the
app would need another scope.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import regex

from bot.slack.cache import Cache
from bot.slack.client import (
    SLACK_FAULTS,
    SlackApi,
    error_code,
    slack_fault,
)
from bot.slack.messages import API_TEAM
from memory import Person
from memory.metrics import step
from memory.model import Json, with_texts

log = logging.getLogger(__name__)

_Value = TypeVar("_Value", str, Json)

MOST_LOOKUPS = 20
"""The most names that are looked up for one person in a minute."""
PATIENCE_SECONDS = 1.0
"""How long the names in some texts are waited for."""
FAILED_SECONDS = 60.0
"""After this time a name that did not come is asked for again."""

UNKNOWN_PERSON = "@someone"
UNKNOWN_CHANNEL = "#a channel"
UNKNOWN_GROUP = "@a group"
_PRIVATE_CHANNEL = "#a private channel"
_USER = "users.info"
_CHANNEL = "conversations.info"
# A third of Slack's limits, "100+" and "50+" calls a minute, for each process.
# Source: https://docs.slack.dev/apis/web-api/rate-limits
_MOST_OF_METHOD = {_USER: 33, _CHANNEL: 16}
_TRUSTED_SECONDS = 3_600.0
_USER_PATIENCE_SECONDS = 3.0
_BEGIN = "\ue001"
_END = "\ue002"
_MARK = re.compile(f"{_BEGIN}([@#][A-Z0-9]+){_END}")
_HALF_MARKS = re.compile(rf"\A[@#A-Z0-9]*{_END}|{_BEGIN}[@#A-Z0-9]*\Z")
_SIGNS = re.compile(f"[{_BEGIN}{_END}]")
# Slack is not asked about anything that cannot be one of its ids.
_MADE = re.compile(r"(?:@[UW]|#[CG])[A-Z0-9]{7,20}")
NAME_CHARACTERS = 40
# A name is one short line of letters, marks, numbers, and what is usual between them. A full stop,
# a slash, a colon or an at sign could make it an address, and an angle bracket markup.
_NOT_IN_NAMES = regex.compile(r"[^\p{L}\p{M}\p{N} '’()&+,_・·-]++")
# What makes an emoji of a character, and joins letters: nothing of it is seen by itself.
_JOINERS = re.compile("[\u200c\u200d\u20e3\ufe0e\ufe0f]")
_SPACES = re.compile(r"\s+")
# In a frame "you" is the app; the others are Slack's own names for everyone, and those of nobody.
_RESERVED = frozenset({"you", "here", "channel", "everyone", "someone", "a group"})
# Slack's answers that there is no name for the app, now or later.
_NAMELESS = frozenset(
    {"user_not_found", "user_not_visible", "channel_not_found", "missing_scope"}
)


def person_mark(user_id: str) -> str:
    """Return what stands for a person's name until it is known."""
    return f"{_BEGIN}@{user_id}{_END}"


def channel_mark(channel_id: str) -> str:
    """Return what stands for a channel's name until it is known."""
    return f"{_BEGIN}#{channel_id}{_END}"


def has_marks(text: str) -> bool:
    """Return whether a text lacks a name that Slack may say later."""
    return _BEGIN in text


def without_marks(text: str) -> str:
    """Return a text of others without characters that begin or end a mark."""
    return _SIGNS.sub("", text)


def whole_marks(text: str) -> str:
    """Return a text that was cut, without marks of which one end was cut off."""
    return _HALF_MARKS.sub("", text)


def clean_name(name: str) -> str:
    """Return a display name as one short line without markup, addresses or ends of frames."""
    letters = _JOINERS.sub("", name[: 4 * NAME_CHARACTERS])
    words = _NOT_IN_NAMES.sub(" ", letters)
    return _SPACES.sub(" ", words)[:NAME_CHARACTERS].strip()


@dataclass(frozen=True, slots=True)
class _Name:
    """What Slack said about a person or channel; no text if it has none for the app.

    `private`: it is a private conversation. `gone`: the account is deactivated.
    """

    text: str = ""
    handle: str = ""
    private: bool = False
    gone: bool = False


class Names:
    """The names that this process knows: the newest, if there are too many.

    Looking names up takes at most `MOST_LOOKUPS` calls a minute for one person, so that the ids
    that one person writes do not use up the names of others, and a third of Slack's limit in all. A
    minute begins with the first call after the one before.
    """

    def __init__(self, slack: SlackApi) -> None:
        self.slack = slack
        self._kept: Cache[str, _Name] = Cache()
        self._failed: Cache[str, bool] = Cache()
        self._namesakes: defaultdict[str, set[str]] = defaultdict(set)
        self._calls: Counter[Person | str] = Counter()
        self._calls_until = 0.0

    def note_user(self, user: Json) -> None:
        """Keep the name in one of Slack's user objects: the one they chose, else the full name."""
        profile = user.get("profile") or {}
        # A full stop could make it an address.
        handle = clean_name(str(user.get("name") or "").replace(".", "·"))
        names = (
            profile.get("display_name"),
            profile.get("real_name"),
            user.get("real_name"),
        )
        cleaned = [clean_name(str(name or "")) for name in names]
        text = next(filter(None, cleaned), handle)
        name = _Name(text, handle, gone=bool(user.get("deleted")))
        self._keep(f"@{user.get('id')}", name)

    def is_gone(self, person: Person) -> bool:
        """Return whether a person's account is known to be deactivated."""
        name = self._kept.find(f"@{person.user_id}")
        return name is not None and name.gone

    def shown(self, value: _Value, channel: str = "") -> _Value:
        """Return texts that are read in `channel`, with names in the place of all marks.

        They are one text or those of a JSON value. Whose name is not known just now is
        ``@someone``, and the next one ``@someone (2)``.
        """
        nobody: dict[str, str] = {}

        def name(found: re.Match[str]) -> str:
            known = self._known(found[1]) or _Name()
            shown = self._text(found[1], known, channel)
            if shown == UNKNOWN_PERSON:
                number = len(nobody) + 1
                other = f"{shown} ({number})" if nobody else shown
                shown = nobody.setdefault(found[1], other)
            return shown

        changed: _Value = with_texts(value, lambda text: _MARK.sub(name, text))
        return changed

    def named(self, text: str, channel: str) -> str:
        """Return a text with the names that are known; the marks of others stay."""

        def name(found: re.Match[str]) -> str:
            known = self._known(found[1])
            if known is None:
                return found[0]
            return self._text(found[1], known, channel)

        return _MARK.sub(name, text)

    def person(self, user_id: str) -> str:
        """Return a person's name; ``@someone`` if it is not known."""
        return self.shown(person_mark(user_id))

    @step("names")
    async def look_up(self, person: Person, texts: Iterable[str]) -> None:
        """Ask Slack for the names in what a person reads or writes, for a second at most.

        All are asked for at once, without a database connection. A name that does not come is asked
        for again only after a minute, so that a slow Slack delays one message and not every one.
        """
        marked = dict.fromkeys(_MARK.findall("\n".join(texts)))
        # A caller of POST /ask is no Slack user.
        if person.team_id == API_TEAM or not marked:
            return
        asked = [one for one in marked if self._may_ask(person, one)]
        if not asked:
            return
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*(self._ask(person.team_id, one) for one in asked))
        except TimeoutError:
            log.info("Slack did not say all names in time")
        for one in asked:
            if self._known(one) is None:
                self._failed.keep(one, True, FAILED_SECONDS)

    async def find_user(self, team_id: str, user_id: str) -> Json | None:
        """Ask Slack for a user object with the locale, and keep its name.

        Both are empty for an unknown person. Returns None if there is no answer within three
        seconds; while Slack's rate limit lasts it is not asked.
        """
        if self.slack.limits.wait(_USER):
            return None
        client = self.slack.client(team_id, patience=_USER_PATIENCE_SECONDS)
        try:
            async with asyncio.timeout(_USER_PATIENCE_SECONDS):
                answer = await client.users_info(user=user_id, include_locale=True)
        except SLACK_FAULTS as error:
            code = error_code(error)
            if code in _NAMELESS:
                self._keep(f"@{user_id}", _Name())
            if code == "user_not_found":
                return {}
            log.info("a person could not be looked up: %s", slack_fault(error))
            return None
        user: Json | None = answer.get("user")
        if user:
            self.note_user(user)
        return user

    def _known(self, marked: str) -> _Name | None:
        """Return what is known about a sign and id; None if Slack may say more."""
        if not _MADE.fullmatch(marked):
            return _Name()
        return self._kept.find(marked)

    def _text(self, marked: str, name: _Name, channel: str) -> str:
        """Return the name that is shown in a channel."""
        if marked[0] == "#":
            if not name.text:
                return UNKNOWN_CHANNEL
            if name.private and marked[1:] != channel:
                return _PRIVATE_CHANNEL
            return f"#{name.text}"
        if not name.text:
            return UNKNOWN_PERSON
        folded = name.text.casefold()
        # Who calls themself "Alex Kim (akim)" has a handle behind that.
        is_shared = len(self._namesakes[folded]) > 1 or "(" in name.text
        if name.handle and (is_shared or folded in _RESERVED):
            return f"@{name.text} ({name.handle})"
        return f"@{name.text}"

    def _keep(self, marked: str, name: _Name) -> None:
        before = self._kept.find(marked)
        if before is not None:
            self._namesakes[before.text.casefold()].discard(marked)
        if marked[0] == "@" and name.text:
            self._namesakes[name.text.casefold()].add(marked)
        self._kept.keep(marked, name, _TRUSTED_SECONDS)

    def _may_ask(self, person: Person, marked: str) -> bool:
        """Return whether Slack is asked for a name now, which is counted."""
        if self._known(marked) is not None or self._failed.find(marked):
            return False
        method = _USER if marked[0] == "@" else _CHANNEL
        if self.slack.limits.wait(method):
            return False
        now = time.monotonic()
        if now >= self._calls_until:
            self._calls.clear()
            self._calls_until = now + 60.0
        if self._calls[person] >= MOST_LOOKUPS:
            return False
        if self._calls[method] >= _MOST_OF_METHOD[method]:
            return False
        self._calls.update([person, method])
        return True

    async def _ask(self, team_id: str, marked: str) -> None:
        if marked[0] == "@":
            await self.find_user(team_id, marked[1:])
            return
        try:
            client = self.slack.client(team_id)
            answer = await client.conversations_info(channel=marked[1:])
        except SLACK_FAULTS as error:
            log.info("a name could not be looked up: %s", slack_fault(error))
            if error_code(error) in _NAMELESS:
                self._keep(marked, _Name())
            return
        channel = answer.get("channel") or {}
        text = clean_name(str(channel.get("name") or ""))
        self._keep(marked, _Name(text, private=channel.get("is_private") is not False))
