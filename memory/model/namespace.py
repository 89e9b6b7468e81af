"""Person, namespace and audience types."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from memory.model.errors import InvalidNamespace

DM = "dm"
PUBLIC = "public"

_ID = re.compile(r"[A-Z0-9]+")


def _check(name: str, value: str) -> None:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise InvalidNamespace(
            f"The {name} is not of capital letters and digits; nothing was read."
        )


@dataclass(frozen=True, slots=True)
class Person:
    """One person of one installation.

    `team_id` is the installation's id, never the author's home team. Raises `InvalidNamespace`
    unless the ids consist of capital letters and digits.
    """

    team_id: str
    user_id: str

    def __post_init__(self) -> None:
        _check("team id", self.team_id)
        _check("user id", self.user_id)

    @property
    def scope(self) -> str:
        """The person as one word, ``TEAM.USER``."""
        return f"{self.team_id}.{self.user_id}"

    @property
    def prefix(self) -> str:
        """The start of each `prefix` of this person's namespaces, ``chat.TEAM.USER``."""
        return f"chat.{self.scope}"

    @property
    def settings(self) -> dict[str, str]:
        """The settings that row-level security compares: they open this person's rows."""
        return {"kioku.team": self.team_id, "kioku.user": self.user_id}

    @property
    def ids(self) -> dict[str, str]:
        """The ids ``team`` and ``user``, as parameters of a statement or arguments of a job."""
        return {"team": self.team_id, "user": self.user_id}

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters by which a statement selects the person's rows: ids and prefixes.

        All prefixes of the person are from ``low`` to ``high``; statements compare them by pattern
        operators: under row-level security these can use the index, but LIKE cannot.
        """
        return {
            **self.ids,
            "low": f"{self.prefix}.",
            "high": f"{self.prefix}/",
        }

    def namespace(self, audience: str) -> Namespace:
        """Return this person's namespace for one audience."""
        return Namespace(person=self, audience=audience)


@dataclass(frozen=True, slots=True)
class Namespace:
    """The namespace of one person's memories for one audience.

    `audience` is ``dm``, ``public``, or the id of the private channel, group DM or conversation of
    unknown kind where it was said. Raises `InvalidNamespace` for anything else.
    """

    person: Person
    audience: str

    def __post_init__(self) -> None:
        if self.audience not in (DM, PUBLIC):
            _check("audience", self.audience)

    @property
    def parts(self) -> tuple[str, str, str, str]:
        """The LangGraph namespace, ``("chat", team, user, audience)``."""
        return ("chat", self.person.team_id, self.person.user_id, self.audience)

    @property
    def prefix(self) -> str:
        """The `prefix` column of `store`, the parts joined with dots."""
        return ".".join(self.parts)

    @classmethod
    @lru_cache(maxsize=1_024)  # the rows of an answer are of few namespaces
    def from_prefix(cls, prefix: str) -> Namespace:
        """Parse a `prefix` column; raises `InvalidNamespace` if it is not a person's namespace."""
        parts = prefix.split(".")
        if len(parts) != 4 or parts[0] != "chat":
            raise InvalidNamespace(
                "A stored memory is outside every person's namespace."
            )
        return cls(person=Person(parts[1], parts[2]), audience=parts[3])


def may_read(audience: str, memory: str) -> bool:
    """Return whether people of one audience may read a memory of another; direct messages all."""
    return audience == DM or memory in (PUBLIC, audience)


@dataclass(frozen=True, slots=True)
class MemoryView:
    """The audiences of a person whose memories may be shown in one conversation.

    `own` is that of the conversation. In a direct message all of the person's memories are shown.
    """

    own: Namespace
    audiences: tuple[str, ...]

    @property
    def person(self) -> Person:
        """The person whose memories these are."""
        return self.own.person

    @property
    def prefixes(self) -> list[str] | None:
        """The `prefix` of each audience's namespace; None for all of the person's."""
        if self.own.audience == DM:
            return None
        return [self.person.namespace(audience).prefix for audience in self.audiences]

    def allows(self, namespace: Namespace) -> bool:
        """Return whether a memory of `namespace` may be shown in this conversation."""
        is_shown = self.own.audience == DM or namespace.audience in self.audiences
        return namespace.person == self.person and is_shown


def memory_view(own: Namespace, *, only_own: bool = False) -> MemoryView:
    """Return the view of the conversation whose namespace is `own`.

    A direct message knows everything. A public channel knows what was said in public; a private
    channel or group DM also knows what was said there. With `only_own` (in a conversation of
    unknown kind) only `own` is shown.
    """
    if own.audience in (DM, PUBLIC) or only_own:
        return MemoryView(own=own, audiences=(own.audience,))
    return MemoryView(own=own, audiences=(PUBLIC, own.audience))
