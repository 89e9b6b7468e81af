"""The ids of everything that can be clicked, and the position in a list that a click carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, cast, get_args

# The ids of everything that can be clicked; `ACTIONS` of bot/memories/clicks.py does what they say.
# A row of buttons adds a number, as ``show_2``.
SWITCH, ANSWER, SEARCH, MENU, SHOW = "memory_switch", "answer", "search", "memory_menu", "show"
FORGET, UNDO, REMEMBER, ADD, SETTINGS = "forget", "undo", "remember", "add", "settings"
EXPORT, DELETE, FEEDBACK, PROMISE = "export", "delete_all", "feedback", "promise"
QUERY_LIMIT = 100  # characters of the words that are searched for
# Source: https://docs.slack.dev/reference/block-kit/blocks
_BLOCK_ID_LIMIT = 255

List: TypeAlias = Literal["memories", "changes", "notice", "used"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What a panel shows: a list, a page of it from 1, and what narrows the list.

    `of`: of ``memories`` the words that are searched for, of ``changes`` the key of a memory, of
    ``notice`` (the changes of one notice) its batch, of ``used`` (memories that an answer was given
    with) its turn; empty: all.
    """

    list: List = "memories"
    of: str = ""
    page: int = 1

    @property
    def value(self) -> str:
        """The position as the value of a button."""
        return f"{self.list} {self.page} {self.of[:QUERY_LIMIT]}"

    @classmethod
    def parse(cls, value: str) -> Position:
        """Return the position in a value; the first page of all memories for any other text."""
        name, _, rest = value.partition(" ")
        page, _, of = rest.partition(" ")
        if name not in get_args(List) or not page.isdecimal():
            return cls()
        return cls(list=cast("List", name), of=of[:QUERY_LIMIT], page=max(int(page), 1))

    def block_id(self, name: str) -> str:
        """Return the id of a block: its name, which differs within a panel, and the position."""
        return f"{name}|{self.value}"[:_BLOCK_ID_LIMIT]


def position_in(block_id: str) -> Position | None:
    """Return the position in the id of a clicked block; None: it is not one of a panel."""
    _, panel, value = block_id.partition("|")
    return Position.parse(value) if panel else None
