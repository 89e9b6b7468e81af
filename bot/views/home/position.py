"""The position in a person's list of memories: kept with the view for the next click."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.locale import Language
from bot.slack.text import storable
from bot.views.views import metadata_of

WORDS_LIMIT = 100
_SEARCH_BLOCK = "home.search"
SEARCH_ACTION = "home_search"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPosition:
    """A kind ("" for all), a page from 1, and the words that are searched for ("" for none)."""

    kind: str = ""
    page: int = 1
    words: str = ""

    def metadata(self, language: Language) -> str:
        """Return what a view in `language` remembers of it."""
        kept = {"kind": self.kind, "page": str(self.page), "words": self.words}
        return json.dumps({**kept, "language": language})

    @property
    def search_block(self) -> str:
        """The id of the search's block: another one for other words.

        Slack keeps what was typed for as long as the id stays the same.
        """
        return f"{_SEARCH_BLOCK}.{self.words}"[:255]


def position_of(view: Mapping[str, Any]) -> ListPosition:
    """Return where the person was who clicked in `view`."""
    kept = metadata_of(view)
    page = kept.get("page", "")
    return ListPosition(
        kind=kept.get("kind", ""),
        page=int(page) if page.isdecimal() else 1,
        words=kept.get("words", "")[:WORDS_LIMIT],
    )


def searched_words(view: Mapping[str, Any], otherwise: str) -> str:
    """Return the text in the search of `view`, entered or only typed; else `otherwise`."""
    for elements in ((view.get("state") or {}).get("values") or {}).values():
        if SEARCH_ACTION in elements:
            words = storable(str(elements[SEARCH_ACTION].get("value") or ""))
            return " ".join(words.split())[:WORDS_LIMIT]
    return otherwise
