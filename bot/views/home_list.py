"""The list of memories in App Home, by search, kind and page; and the position in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from html import unescape
from itertools import groupby
from typing import Any

from bot.locale import Language, say
from bot.views.blocks import (
    OPTION_VALUE,
    Block,
    actions,
    bulleted,
    button,
    escaped,
    note,
    option,
    page_buttons,
    plain_text,
    section,
)
from bot.views.labels import kind_title
from bot.views.memories import memory_blocks
from bot.views.views import metadata_of
from memory import Memory

HOME_PAGE_SIZE = 20
HOME_SEARCH_ACTION = "home_search"
HOME_KIND_ACTION = "home_kind"
HOME_PAGE_ACTION = "home_page"
HOME_ALL_ACTION = "home_all"
ALL_KINDS = "-"
WORDS_LIMIT = 100
_EXAMPLES = ("home_example_fact", "home_example_food", "home_example_answer")
_OPTIONS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPosition:
    """A kind ("" for all), a page from 1, and the words that are searched for ("" for none)."""

    kind: str = ""
    page: int = 1
    words: str = ""

    def metadata(self, language: Language) -> str:
        """Return what a view in `language` remembers of it."""
        position = {"kind": self.kind, "page": str(self.page), "words": self.words}
        return json.dumps({**position, "language": language})


def position_of(view: Mapping[str, Any]) -> ListPosition:
    """Return the position that a Home shows."""
    metadata = metadata_of(view)
    page = metadata.get("page", "")
    return ListPosition(
        kind=metadata.get("kind", ""),
        page=int(page) if page.isdecimal() else 1,
        words=metadata.get("words", "")[:WORDS_LIMIT],
    )


def position_after(view: Mapping[str, Any], action: Mapping[str, Any]) -> ListPosition:
    """Return the position to show after a search, a choice or a click in the list of `view`."""
    match action["action_id"]:
        case "home_search":
            return replace(position_of(view), page=1, words=searched_words(view))
        case "home_kind":
            kind = str(action["selected_option"]["value"])
            return ListPosition(kind="" if kind == ALL_KINDS else kind, words=searched_words(view))
        case "home_all":
            return ListPosition()
    return replace(position_of(view), page=int(action["value"]))


def searched_words(view: Mapping[str, Any]) -> str:
    """Return the text in the search of `view`, entered or only typed; else the words it shows."""
    for elements in ((view.get("state") or {}).get("values") or {}).values():
        if HOME_SEARCH_ACTION in elements:
            words = str(elements[HOME_SEARCH_ACTION].get("value") or "")
            return " ".join(words.split())[:WORDS_LIMIT]
    return position_of(view).words


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The memories on a page of the list.

    `kinds` counts all of them by kind, `found` those that the kind and the words leave. `similar`:
    none has the words, these are the nearest.
    """

    position: ListPosition = field(default_factory=ListPosition)
    memories: Sequence[Memory] = ()
    kinds: Mapping[str, int] = field(default_factory=dict)
    found: int = 0
    similar: bool = False

    @property
    def total(self) -> int:
        """The number of the person's memories."""
        return sum(self.kinds.values())


def listing_blocks(
    language: Language, listing: Listing, links: Mapping[str, str], zone: tzinfo
) -> list[Block]:
    """Return the memories with what searches and filters them; examples where there are none.

    `links` lead to where each was said, by its reference.
    """
    if not listing.total:
        return _empty_list(language)
    where = listing.position
    blocks: list[Block] = [_search(language, where), _filters(language, listing)]
    if where.words:
        blocks.append(section(_title(language, listing)))
    if listing.similar:
        blocks += memory_blocks(language, listing.memories, links, {}, zone)
    else:
        for kind, members in groupby(listing.memories, key=lambda memory: memory.kind):
            blocks.append(section(f"*{kind_title(language, kind)}*"))
            blocks += memory_blocks(language, list(members), links, {}, zone)
    if listing.memories and not listing.similar:
        first = (where.page - 1) * HOME_PAGE_SIZE + 1
        last = first + len(listing.memories) - 1
        key = "home_shown_found" if where.kind or where.words else "home_shown"
        blocks.append(note(say(language, key, first=first, last=last, count=listing.found)))
    if not listing.similar:
        pages = -(-listing.found // HOME_PAGE_SIZE)
        blocks += page_buttons(language, HOME_PAGE_ACTION, where.page, pages)
    return blocks


def _empty_list(language: Language) -> list[Block]:
    return [
        section(f"*{say(language, 'home_none')}*\n{say(language, 'home_none_how')}"),
        section(bulleted([say(language, key) for key in _EXAMPLES])),
        note(say(language, "home_none_then")),
    ]


def _title(language: Language, listing: Listing) -> str:
    words = escaped(listing.position.words)
    if not listing.memories:
        return say(language, "home_no_match", words=words)
    return say(language, "search_similar" if listing.similar else "search_title", words=words)


def _search(language: Language, where: ListPosition) -> Block:
    element: Block = {
        "type": "plain_text_input",
        "action_id": HOME_SEARCH_ACTION,
        "max_length": WORDS_LIMIT,
        "placeholder": plain_text(say(language, "home_search_example")),
        "dispatch_action_config": {"trigger_actions_on": ["on_enter_pressed"]},
    }
    if where.words:
        element["initial_value"] = where.words
    return {
        "type": "input",
        # Slack keeps what was typed for as long as the id of its block stays the same.
        "block_id": f"home.search.{where.words}"[:255],
        "dispatch_action": True,
        "label": plain_text(say(language, "home_search")),
        "element": element,
    }


def _filters(language: Language, listing: Listing) -> Block:
    where = listing.position
    every = say(language, "home_every_kind", count=listing.total)
    options = [option(every, ALL_KINDS)]
    options += [
        option(say(language, "home_kind", kind=unescape(kind_title(language, kind)), count=n), kind)
        for kind, n in list(listing.kinds.items())[: _OPTIONS - 1]
        if len(kind) <= OPTION_VALUE
    ]
    chosen = [one for one in options if one["value"] == where.kind] or options[:1]
    select: Block = {
        "type": "static_select",
        "action_id": HOME_KIND_ACTION,
        "placeholder": plain_text(say(language, "home_kind_choose")),
        "options": options,
        "initial_option": chosen[0],
    }
    elements = [select]
    if where.kind or where.words:
        elements.append(button(HOME_ALL_ACTION, say(language, "home_show_all"), "all"))
    # Slack keeps a choice for as long as the id of its block stays the same.
    block_id = f"home.filters.{where.kind}.{bool(where.words)}"[:255]
    return {**actions(*elements), "block_id": block_id}
